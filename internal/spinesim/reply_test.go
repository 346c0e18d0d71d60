package spinesim_test

import (
	"bytes"
	"encoding/xml"
	"io"
	"net/http"
	"strings"
	"testing"
)

// element is a reply's XML with names in {namespace}local form left to ns.
type element struct {
	XMLName  xml.Name
	Attrs    []xml.Attr `xml:",any,attr"`
	Children []element  `xml:",any"`
	Text     string     `xml:",chardata"`
}

// reply is a reply and, if it is XML, its tree.
type reply struct {
	status int
	header http.Header
	body   []byte
	root   element
	xmlErr error
}

func readReply(t testing.TB, response *http.Response, body []byte) reply {
	t.Helper()
	r := reply{status: response.StatusCode, header: response.Header, body: body}
	if got := response.Header.Get("X-Ward-Simulator"); got != "not real information" {
		t.Errorf("X-Ward-Simulator: %q", got)
	}
	r.xmlErr = strictXML(body, &r.root)
	return r
}

// readResponse reads the body first.
func readResponse(t testing.TB, response *http.Response) reply {
	t.Helper()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return readReply(t, response, body)
}

// strictXML is encoding/xml without its leniency toward what follows the root.
func strictXML(body []byte, root *element) error {
	d := xml.NewDecoder(bytes.NewReader(body))
	err := d.Decode(root)
	if err != nil {
		return err
	}
	_, err = d.Token()
	if err != io.EOF {
		return err
	}
	return nil
}

// find lists all elements with that local name, in document order.
func (e element) find(local string) []element {
	var found []element
	if e.XMLName.Local == local {
		found = append(found, e)
	}
	for _, c := range e.Children {
		found = append(found, c.find(local)...)
	}
	return found
}

func (e element) attr(local string) string {
	for _, a := range e.Attrs {
		if a.Name.Local == local {
			return a.Value
		}
	}
	return ""
}

// values lists an attribute of all elements with that name.
func (r reply) values(local, attr string) []string {
	var all []string
	for _, e := range r.root.find(local) {
		all = append(all, e.attr(attr))
	}
	return all
}

// value is an attribute of the first element with that name.
func (r reply) value(local, attr string) string {
	all := r.values(local, attr)
	if len(all) == 0 {
		return ""
	}
	return all[0]
}

// text is the text of the first element with that name.
func (r reply) text(local string) string {
	all := r.root.find(local)
	if len(all) == 0 {
		return ""
	}
	return strings.TrimSpace(all[0].Text)
}

// kind is the interaction that a reply holds, "fault", or "" for neither.
func (r reply) kind() string {
	for _, local := range []string{"REPC_IN000007GB01", "QUQI_IN010000UK14", "MCCI_IN010000UK13"} {
		if len(r.root.find(local)) == 1 {
			return local
		}
	}
	if len(r.root.find("Fault")) == 1 {
		return "fault"
	}
	return ""
}

// accesses lists the ids of the history, oldest first.
func (r reply) accesses() []string {
	var ids []string
	for _, q := range r.root.find("pertinentCP-ISNHSQuery") {
		for _, c := range q.Children {
			if c.XMLName.Local == "id" {
				ids = append(ids, c.attr("root"))
			}
		}
	}
	return ids
}

// total is a declared total.
func (r reply) total(local string) string {
	for _, e := range r.root.find(local) {
		for _, c := range e.Children {
			if c.XMLName.Local == "value" {
				return c.attr("value")
			}
		}
	}
	return ""
}

func (r reply) accessTotal() string { return r.total("pertinentTotalReturnedAccessRecords") }
func (r reply) recordTotal() string { return r.total("pertinentTotalReturnedChildRecords") }
