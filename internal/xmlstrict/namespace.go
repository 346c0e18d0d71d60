package xmlstrict

import "strings"

const (
	xmlNamespace   = "http://www.w3.org/XML/1998/namespace"
	xmlnsNamespace = "http://www.w3.org/2000/xmlns/"
)

// binding gives a prefix its namespace; the default namespace has prefix "".
type binding struct{ prefix, uri string }

// maxBindings bounds the namespace declarations in scope at any one place,
// since resolving a prefix looks through all of them.
const maxBindings = 256

// resolve returns the namespace of a prefix.
func (p *parser) resolve(prefix string) (uri string, ok bool) {
	for i := len(p.bindings) - 1; i >= 0; i-- {
		if p.bindings[i].prefix == prefix {
			return p.bindings[i].uri, true
		}
	}
	if prefix == "xml" {
		return xmlNamespace, true
	}
	return "", prefix == ""
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
	p.bindings = append(p.bindings, binding{prefix, uri})
	return nil
}

// isURIReference reports whether s is a URI reference as in RFC 3986, save
// that the host is not an IP address in brackets.
func isURIReference(s string) bool {
	s, fragment, _ := strings.Cut(s, "#")
	s, query, _ := strings.Cut(s, "?")
	colon := strings.IndexByte(s, ':')
	slash := strings.IndexByte(s, '/')
	if colon >= 0 && (slash < 0 || colon < slash) {
		if !isScheme(s[:colon]) {
			return false
		}
		s = s[colon+1:]
	}
	rest, ok := strings.CutPrefix(s, "//")
	if ok {
		authority := rest
		s = ""
		slash = strings.IndexByte(rest, '/')
		if slash >= 0 {
			authority, s = rest[:slash], rest[slash:]
		}
		if !isAuthority(authority) {
			return false
		}
	}
	return hasURICharacters(s, ":@/") && hasURICharacters(query, ":@/?") && hasURICharacters(fragment, ":@/?")
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
	at := strings.IndexByte(s, '@')
	if at >= 0 {
		if !hasURICharacters(s[:at], ":") {
			return false
		}
		s = s[at+1:]
	}
	host, port, found := strings.Cut(s, ":")
	if found {
		n, ok := number(port, 10)
		if !ok || n > 65535 {
			return false
		}
	}
	return host != "" && hasURICharacters(host, "")
}

// hasURICharacters reports whether s holds only unreserved characters,
// sub-delimiters, percent-encoded bytes and the characters of more.
func hasURICharacters(s, more string) bool {
	for i := 0; i < len(s); i++ {
		switch {
		case is(s[i], uriByte):
		case s[i] == '%':
			if i+2 >= len(s) {
				return false
			}
			_, ok := number(s[i+1:i+3], 16)
			if !ok {
				return false
			}
			i += 2
		case strings.IndexByte(more, s[i]) < 0:
			return false
		}
	}
	return true
}
