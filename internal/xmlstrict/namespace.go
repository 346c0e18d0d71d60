package xmlstrict

import "strings"

const (
	xmlNamespace   = "http://www.w3.org/XML/1998/namespace"
	xmlnsNamespace = "http://www.w3.org/2000/xmlns/"
)

// binding gives a prefix its namespace; the default namespace has prefix "".
type binding struct {
	prefix string
	space  int32 // index in Document.namespaces
}

// maxBindings bounds the namespace declarations in scope at any one place,
// since resolving a prefix looks through all of them.
const maxBindings = 256

// resolve returns the index of the namespace that a prefix stands for.
func (p *parser) resolve(prefix string) (space int32, ok bool) {
	for i := len(p.bindings) - 1; i >= 0; i-- {
		if p.bindings[i].prefix == prefix {
			return p.bindings[i].space, true
		}
	}
	if prefix == "xml" {
		return xmlNamespaceIndex, true
	}
	return noNamespace, prefix == ""
}

// bind records the namespace declaration at offset. The declarations of the
// start tag being read begin at outer.
func (p *parser) bind(outer, offset int, prefix, uri string) *Error {
	switch {
	case prefix == "xmlns":
		return p.refuse(offset, "the prefix xmlns cannot be declared")
	case (prefix == "xml") != (uri == xmlNamespace):
		return p.refuse(offset, "the prefix xml and its namespace belong to each other only")
	case uri == xmlnsNamespace:
		return p.refuse(offset, "the namespace of namespace declarations cannot be declared")
	case uri == "" && prefix != "":
		return p.refuse(offset, "a namespace prefix cannot be undeclared")
	case !isURIReference(uri):
		return p.refuse(offset, "a namespace name is not a URI")
	case len(p.bindings) >= maxBindings:
		return p.tooLarge(offset, "more namespace declarations are in scope than allowed")
	}
	for _, declared := range p.bindings[outer:] {
		if declared.prefix == prefix {
			return p.refuse(offset, reasonDuplicate)
		}
	}
	p.bindings = append(p.bindings, binding{prefix, int32(len(p.tree.namespaces))})
	p.tree.namespaces = append(p.tree.namespaces, uri)
	return nil
}

// isURIReference reports whether s is a URI reference as in RFC 3986, save
// that it has no address in brackets and no ampersand, which libxml2 misreads
// in a namespace name.
func isURIReference(s string) bool {
	if !hasURICharacters(s) {
		return false
	}
	s, fragment, _ := strings.Cut(s, "#")
	if strings.IndexByte(fragment, '#') >= 0 {
		return false
	}
	s, _, _ = strings.Cut(s, "?")
	colon := strings.IndexByte(s, ':')
	slash := strings.IndexByte(s, '/')
	if colon >= 0 && (slash < 0 || colon < slash) {
		if !isScheme(s[:colon]) {
			return false
		}
		s = s[colon+1:]
	}
	authority, ok := strings.CutPrefix(s, "//")
	if ok {
		authority, _, _ = strings.Cut(authority, "/")
		return isAuthority(authority)
	}
	return true
}

func isScheme(s string) bool {
	for i := range len(s) {
		c := s[i]
		letter := c|0x20 >= 'a' && c|0x20 <= 'z'
		if !letter && (i == 0 || (c < '0' || c > '9') && c != '+' && c != '-' && c != '.') {
			return false
		}
	}
	return s != ""
}

// isAuthority accepts [user@]host[:port].
func isAuthority(s string) bool {
	_, host, found := strings.Cut(s, "@")
	if !found {
		host = s
	}
	host, port, found := strings.Cut(host, ":")
	if found {
		n, ok := number(port, 10)
		if !ok || n > 65535 {
			return false
		}
	}
	return host != "" && strings.IndexByte(host, '@') < 0
}

// hasURICharacters reports whether s holds only characters of a URI and
// percent-encoded bytes.
func hasURICharacters(s string) bool {
	for i := 0; i < len(s); i++ {
		if is(s[i], uriByte) {
			continue
		}
		if s[i] != '%' || i+2 >= len(s) {
			return false
		}
		_, ok := number(s[i+1:i+3], 16)
		if !ok {
			return false
		}
		i += 2
	}
	return true
}
