// Package wsdl describes the service to SOAP stacks: a WSDL 1.1 and XML schemas of
// our own writing, since no official WSDL is published (WRD-MSG-26). The files are
// here once: they are served, they are the documentation, and the tests hold
// messages against them. Ward itself does not validate with them.
package wsdl

import (
	"bytes"
	"embed"
	"encoding/xml"
	"fmt"
	"io/fs"
	"path"
	"strings"
)

//go:embed *.wsdl *.xsd
var files embed.FS

// Files are the description as it lies on disk, where the schemas find each other
// by their file names.
func Files() fs.FS { return files }

// placeholder stands in the WSDL for the address of a provider.
const placeholder = "https://smsp.example.invalid/smsp/cpis"

// Documents are the description as an endpoint serves it, each under the query that
// asks for it: "wsdl", or "xsd=" and the name of a schema. endpoint is the path of
// the URL that is asked, address the URL to which clients send their questions.
func Documents(endpoint, address string) (map[string][]byte, error) {
	names, err := fs.Glob(files, "*")
	if err != nil {
		return nil, err
	}
	var written bytes.Buffer
	err = xml.EscapeText(&written, []byte(address))
	if err != nil {
		return nil, fmt.Errorf("the address cannot stand in a WSDL: %w", err)
	}
	// With the last segment of the path, since not every stack resolves a reference
	// that is a query alone as RFC 3986 says.
	location := `schemaLocation="` + path.Base(endpoint) + `?xsd=`
	documents := make(map[string][]byte, len(names))
	for _, name := range names {
		content, err := fs.ReadFile(files, name)
		if err != nil {
			return nil, err
		}
		text := strings.ReplaceAll(string(content), `schemaLocation="`, location)
		query := "xsd=" + name
		if path.Ext(name) == ".wsdl" {
			text = strings.Replace(text, placeholder, written.String(), 1)
			query = "wsdl"
		}
		documents[query] = []byte(text)
	}
	return documents, nil
}
