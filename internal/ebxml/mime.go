package ebxml

import (
	"encoding/base64"
	"errors"
	"slices"
	"strings"
)

// What MIME may cost, besides Limits.
const (
	maxContentType = 1024 // bytes of an HTTP Content-Type
	maxBoundary    = 70   // RFC 2046
	maxParts       = 2    // the envelope and one HL7 document
	maxPartHeader  = 4096 // bytes of the header of a part, the empty line included
	maxFields      = 16   // of the header of a part, and lines of one field
	maxParameters  = 16   // of a Content-Type
)

var (
	errContentType = errors.New("the Content-Type is malformed")
	errNotXML      = errors.New("the media type is not that of XML in UTF-8")
	errDelimiters  = errors.New("the multipart body is not made of parts between whole delimiters")
	errParts       = errors.New("the multipart body has more parts than an envelope and one document")
	errPartHeader  = errors.New("the header of a part is malformed or too large")
	errEncoding    = errors.New("a part has a transfer encoding that is not known, or does not keep to it")
)

// mediaType is a Content-Type taken apart. Names are in lower case.
type mediaType struct {
	name                           string
	boundary, charset, start, kind string
}

// parseMediaType reads a Content-Type. It takes values without quotation marks that
// should have them, since senders of Spine messages leave them out; package mime
// would not.
func parseMediaType(s string) (mediaType, error) {
	if len(s) > maxContentType {
		return mediaType{}, errContentType
	}
	name, rest, more := strings.Cut(s, ";")
	m := mediaType{name: strings.ToLower(trimBlank(name))}
	seen := make([]string, 0, 4)
	for more && trimBlank(rest) != "" { // a semicolon may end it
		key, after, found := strings.Cut(rest, "=")
		key = strings.ToLower(trimBlank(key))
		if !found || !isToken(key) || len(seen) == maxParameters || slices.Contains(seen, key) {
			return mediaType{}, errContentType
		}
		seen = append(seen, key)
		var value string
		var ok bool
		value, rest, more, ok = parameterValue(after)
		if !ok {
			return mediaType{}, errContentType
		}
		m.set(key, value)
	}
	return m, nil
}

func (m *mediaType) set(key, value string) {
	switch key {
	case "boundary":
		m.boundary = value
	case "charset":
		m.charset = value
	case "start":
		m.start = value
	case "type":
		m.kind = strings.ToLower(value)
	}
}

// parameterValue reads a value up to the next semicolon.
func parameterValue(s string) (value, rest string, more, ok bool) {
	s = trimBlank(s)
	quoted, isQuoted := strings.CutPrefix(s, `"`)
	if !isQuoted {
		value, rest, more = strings.Cut(s, ";")
		value = trimBlank(value)
		return value, rest, more, value != "" && !strings.ContainsAny(value, "\" \t")
	}
	value, rest, ok = strings.Cut(quoted, `"`)
	if !ok || strings.Contains(value, `\`) {
		return "", "", false, false
	}
	rest = trimBlank(rest)
	if rest == "" {
		return value, "", false, true
	}
	rest, more = strings.CutPrefix(rest, ";")
	return value, rest, more, more
}

// isXML reports whether this is XML in UTF-8, as far as the type says.
func (m mediaType) isXML() bool {
	charset := m.charset == "" || strings.EqualFold(m.charset, "UTF-8") || strings.EqualFold(m.charset, "US-ASCII")
	return charset && (m.name == "text/xml" || m.name == "application/xml")
}

// trimBlank removes spaces and tabs on both sides.
func trimBlank(s string) string { return strings.Trim(s, " \t") }

// isToken reports whether s can name a header field or a parameter.
func isToken(s string) bool {
	for i := range len(s) {
		if s[i] <= ' ' || s[i] > '~' || strings.IndexByte(`()<>@,;:\"/[]?=`, s[i]) >= 0 {
			return false
		}
	}
	return s != ""
}

// part is one part of a multipart body.
type part struct {
	id       string // of its Content-Id, without angle brackets
	media    mediaType
	encoding string // in lower case
	content  string
}

// split takes a multipart body apart. The delimiter stands nowhere but at the start
// of lines that are delimiters, so that no two readers can disagree about where a
// part ends; nothing but white space stands outside the parts.
func split(body, boundary string) ([]part, error) {
	if len(boundary) > maxBoundary || !isIdentifier(boundary) {
		return nil, errContentType
	}
	delimiter := "--" + boundary
	before, rest, found := strings.Cut(body, delimiter)
	if !found || trimLines(before) != "" || before != "" && before[len(before)-1] != '\n' {
		return nil, errDelimiters
	}
	parts := make([]part, 0, maxParts)
	for {
		end, closing := strings.CutPrefix(rest, "--")
		if closing {
			if trimLines(end) != "" || len(parts) == 0 {
				return nil, errDelimiters
			}
			return parts, nil
		}
		padding, after, _ := strings.Cut(rest, "\n")
		var content string
		content, rest, found = strings.Cut(after, delimiter)
		if !found || trimBlank(strings.TrimSuffix(padding, "\r")) != "" {
			return nil, errDelimiters
		}
		content, found = strings.CutSuffix(content, "\n")
		if !found {
			return nil, errDelimiters
		}
		if len(parts) == maxParts {
			return nil, errParts
		}
		p, err := parsePart(strings.TrimSuffix(content, "\r"))
		if err != nil {
			return nil, err
		}
		parts = append(parts, p)
	}
}

// trimLines removes white space and line ends on both sides.
func trimLines(s string) string { return strings.Trim(s, " \t\r\n") }

// parsePart reads a part: its header up to an empty line, and the rest.
func parsePart(s string) (part, error) {
	var p part
	seen := make([]string, 0, 4)
	header := s[:min(len(s), maxPartHeader)]
	for {
		field, rest, ok := cutField(header)
		if !ok {
			return part{}, errPartHeader
		}
		header = rest
		if field == "" {
			break
		}
		name, value, ok := strings.Cut(field, ":")
		name = strings.ToLower(name)
		if !ok || !isToken(name) || len(seen) == maxFields || slices.Contains(seen, name) {
			return part{}, errPartHeader
		}
		seen = append(seen, name)
		err := p.set(name, trimBlank(value))
		if err != nil {
			return part{}, err
		}
	}
	end := min(len(s), maxPartHeader) - len(header)
	var err error
	p.content, err = decode(p.encoding, s[end:])
	return p, err
}

// cutField takes a field off a header, with the lines that continue it. It is empty
// for the line that ends the header.
func cutField(header string) (field, rest string, ok bool) {
	field, rest, ok = strings.Cut(header, "\n")
	field = strings.TrimSuffix(field, "\r")
	for n := 1; ok && field != "" && rest != "" && (rest[0] == ' ' || rest[0] == '\t'); n++ {
		if n == maxFields {
			return "", "", false
		}
		var line string
		line, rest, ok = strings.Cut(rest, "\n")
		field += strings.TrimSuffix(line, "\r")
	}
	return field, rest, ok
}

func (p *part) set(name, value string) error {
	switch name {
	case "content-type":
		var err error
		p.media, err = parseMediaType(value)
		return err
	case "content-id":
		p.id = trimAngles(value)
		if !isIdentifier(p.id) {
			return errPartHeader
		}
	case "content-transfer-encoding":
		p.encoding = strings.ToLower(value)
	}
	return nil
}

func trimAngles(id string) string {
	if len(id) > 2 && id[0] == '<' && id[len(id)-1] == '>' {
		return id[1 : len(id)-1]
	}
	return id
}

// decode undoes a transfer encoding. Quoted-printable is not among those that are
// known: readers disagree about what is wrong in it, and no sender is known to use it.
func decode(encoding, content string) (string, error) {
	switch encoding {
	case "", "7bit", "8bit", "binary":
		return content, nil
	case "base64":
		decoded, err := base64.StdEncoding.Strict().DecodeString(trimLines(content))
		if err != nil {
			return "", errEncoding
		}
		return string(decoded), nil
	}
	return "", errEncoding
}
