package xmlstrict_test

import "math/rand/v2"

// seeds are documents that use every construct the reader accepts; mutations
// and fuzzing start from them.
var seeds = []string{
	`<a/>`,
	"\uFEFF<?xml version=\"1.0\" encoding=\"UTF-8\" standalone=\"yes\"?>\n<!-- x --><a></a><!-- y -->\n",
	`<?xml version='1.0'?><a b="1" c='2' d = "&lt;&#x41;&#66;'">t&amp;&gt;&quot;&apos;u</a >`,
	"<a>\r\n<b>x\ry</b>\t<c d=\"e\tf\ng\r\nh\"/></a>",
	`<a><![CDATA[<x>&y]]]]></a>`,
	`<p:a xmlns:p="urn:a" xmlns="http://a.example/b?c#d" p:b="1" b="2"><c xmlns=""/><p:d xmlns:p="urn:b"/></p:a>`,
	`<a xml:lang="en" xml:space="preserve" xmlns:xml="http://www.w3.org/XML/1998/namespace"><xml:b/></a>`,
	`<é:ñ xmlns:é="urn:%C3%A9" 名="値">œ€😀</é:ñ>`,
	`<a>x<!-- c --><b><!----></b>y<![CDATA[z]]>&#10;</a>`,
	`<a xmlns="http://u:p@h.example:80/x;y=1/../z?q=/?#/?"/>`,
	message,
}

// tokens are what mutations insert: pieces on both sides of every rule.
var tokens = []string{
	"<", ">", "&", "\"", "'", "=", "/", ":", " ", "\t", "\n", "\r", "\r\n", ";", "#", "?", "!", "-", "[", "]", "%", "@",
	"<!--", "-->", "--", "--->", "<![CDATA[", "]]>", "]]", "<!DOCTYPE a>", `<!DOCTYPE a [<!ENTITY e "x">]>`, "<!", "<?p i?>", "<?xml version=\"1.0\"?>", "<?", "?>",
	"&amp;", "&lt;", "&#60;", "&#x3C;", "&#0;", "&#x1F;", "&#xD800;", "&#xFFFE;", "&#x10FFFF;", "&#x110000;", "&#13;", "&e;", "&nbsp;", "&#", "&#x", "&#9;", "&#10;",
	"<a>", "</a>", "<a/>", "<b c='d'>", "</b>", "<p:a/>", "</p:a>", "<xmlns:a/>", "<xml:a/>", "<a:b:c/>", "<:a/>", "<a:/>", "< a/>", "</ a>",
	` a="1"`, ` a='1' a='2'`, ` xmlns="urn:x"`, ` xmlns=""`, ` xmlns:p="urn:y"`, ` xmlns:q="urn:a" q:b=""`, ` xmlns:p=""`, ` xmlns:xmlns="urn:z"`, ` xml:id="x"`, ` xml:id="1"`, ` p:b="1"`, ` xml:lang=""`, ` xml:space="x"`,
	` xmlns:xml="urn:x"`, ` xmlns:r="http://www.w3.org/XML/1998/namespace"`, ` xmlns="http://www.w3.org/2000/xmlns/"`, ` xmlns:=""`, ` :a="1"`, ` a`, ` a=`, ` a=1`, `a="1"`, ` a="<"`,
	"\x00", "\x01", "\x1F", "\x7F", "\u0085", "\u00B7", "\u0300", "\u037E", "\u203F", "\u2028", "\u2190", "\u3000", "\uFEFF", "\uFFFD", "\uFFFE", "\uFFFF", "\uFDD0", "é", "😀", "\U000EFFFF", "\U000F0000", "\U0010FFFF",
	"\x80", "\xC0\x80", "\xED\xA0\x80", "\xF4\x90\x80\x80", "\xFF\xFE", "\xFE\xFF", "\xC3",
	"http://", "//", "urn:", "1:", ":80", ":99999", "%41", "%4", "%zz", "{", "|", "\\", "^", "~", "[::1]", "..", "mailto:a@b",
	"encoding", "UTF-8", "utf-8", "UTF8", "UTF-16", "ISO-8859-1", "standalone", "yes", "no", "version", "1.0", "1.1",
}

// mutate changes a document in one to four places.
func mutate(random *rand.Rand, doc string) string {
	for range 1 + random.IntN(4) {
		i := random.IntN(len(doc) + 1)
		j := min(len(doc), i+random.IntN(12))
		switch random.IntN(8) {
		case 0: // flip a bit
			if i < len(doc) {
				doc = doc[:i] + string([]byte{doc[i] ^ 1<<random.IntN(8)}) + doc[i+1:]
			}
		case 1: // cut
			doc = doc[:i] + doc[j:]
		case 2: // repeat elsewhere
			k := random.IntN(len(doc) + 1)
			doc = doc[:k] + doc[i:j] + doc[k:]
		case 3: // end early
			if random.IntN(8) == 0 {
				doc = doc[:i]
			}
		case 4: // replace
			doc = doc[:i] + tokens[random.IntN(len(tokens))] + doc[j:]
		default:
			doc = doc[:i] + tokens[random.IntN(len(tokens))] + doc[i:]
		}
	}
	return doc
}
