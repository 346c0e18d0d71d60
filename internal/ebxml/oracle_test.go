//go:build oracle

package ebxml_test

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"math/rand/v2"
	"os/exec"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/wardsmsp/ward/internal/ebxml"
)

// messageInPython is what Python's package email reads of a message.
type messageInPython struct {
	Type, Start string
	Parts       []partInPython
	Defects     []string
}

type partInPython struct {
	ID, Type, Charset, Encoding string
	Content                     []byte
}

// readInPython reads each line as a message in base64 and writes what it is as JSON.
const readInPython = `
import base64, email.parser, email.policy, json, sys
for line in sys.stdin:
    message = email.parser.BytesParser(policy=email.policy.compat32).parsebytes(base64.b64decode(line))
    parts = message.get_payload() if message.is_multipart() else []
    print(json.dumps({
        "Type": message.get_content_type(),
        "Start": message.get_param("start") or "",
        "Defects": [type(d).__name__ for m in [message, *parts] for d in m.defects],
        "Parts": [{
            "ID": p.get("Content-Id", ""),
            "Type": p.get_content_type(),
            "Charset": p.get_content_charset() or "",
            "Encoding": p.get("Content-Transfer-Encoding", ""),
            "Content": base64.b64encode(p.get_payload(decode=True) or b"").decode(),
        } for p in parts],
    }))
`

type typed struct{ contentType, body string }

func inPython(t *testing.T, messages []typed) []messageInPython {
	t.Helper()
	var input bytes.Buffer
	for _, m := range messages {
		input.WriteString(base64.StdEncoding.EncodeToString([]byte("Content-Type: "+m.contentType+"\r\n\r\n"+m.body)) + "\n")
	}
	command := exec.CommandContext(t.Context(), "python3", "-c", readInPython)
	command.Stdin = &input
	var errs bytes.Buffer
	command.Stderr = &errs
	out, err := command.Output()
	if err != nil {
		t.Fatalf("python3 must be installed: %v\n%s", err, errs.String())
	}
	var read []messageInPython
	decoder := json.NewDecoder(bytes.NewReader(out))
	for range messages {
		var m messageInPython
		err := decoder.Decode(&m)
		if err != nil {
			t.Fatal(err)
		}
		read = append(read, m)
	}
	return read
}

// Another reader of MIME finds in a question the two parts that Ward put there.
func TestRequestInPython(t *testing.T) {
	payloads := []string{"<a/>", "<a>\r\n----=_MIME-Boundary\r\n\r\nx\r\n----=_MIME-Boundary--\r\n</a>", "<a>é\n</a>\n\n"}
	var messages []typed
	for _, payload := range payloads {
		contentType, body, err := ebxml.WriteRequest(question(), []byte(payload), unreliable())
		if err != nil {
			t.Fatal(err)
		}
		messages = append(messages, typed{contentType, string(body)})
	}
	for i, got := range inPython(t, messages) {
		if len(got.Parts) != 2 {
			t.Fatalf("%d parts", len(got.Parts))
		}
		wellFormed(t, got.Parts[0].Content)
		got.Parts[0].Content = nil
		want := messageInPython{
			Type: "multipart/related", Start: "<ebXMLHeader@spine.nhs.uk>", Defects: []string{},
			Parts: []partInPython{
				{ID: "<ebXMLHeader@spine.nhs.uk>", Type: "text/xml", Charset: "utf-8", Encoding: "8bit"},
				{ID: "<" + askedID + "@spine.nhs.uk>", Type: "application/xml", Charset: "utf-8", Encoding: "8bit", Content: []byte(payloads[i])},
			},
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("message (-want +got):\n%s", diff)
		}
	}
}

// WRD-SEC-05: no document that Ward reads is another one to another reader, however
// the message is damaged.
func TestDocumentsInPython(t *testing.T) {
	random := rand.New(rand.NewPCG(12, 9))
	pieces := []string{"\r\n", "\n", "\r", " ", "\t", "--", "----=_MIME-Boundary", "----=_MIME-Boundary--", "\r\n----=_MIME-Boundary\r\n", "\n----=_MIME-Boundary--\n",
		documentFields, envelopeFields, "\r\n\r\n", ":", "Content-Transfer-Encoding: base64\r\n", "Content-Type: text/xml\r\n", "X: x\r\n", "x", ";", "\"", "=", "<", ">"}
	var accepted []typed
	var documents []string
	for range 40_000 {
		body := reply()
		if random.IntN(2) == 0 {
			body = strings.ReplaceAll(body, "\r\n", "\n")
		}
		for range 1 + random.IntN(2) {
			i := random.IntN(len(body) + 1)
			if random.IntN(3) > 0 { // near a line end, where MIME is decided
				lines := strings.Count(body, "\n")
				i = len(strings.Join(strings.SplitAfterN(body, "\n", lines+1)[:random.IntN(lines+1)], ""))
			}
			j := i + min(len(body)-i, random.IntN(3))
			body = body[:i] + pieces[random.IntN(len(pieces))] + body[j:]
		}
		m, err := ebxml.Read(multipartType, body, limits)
		if err == nil && m.Kind == ebxml.Business {
			accepted = append(accepted, typed{multipartType, body})
			documents = append(documents, m.Payload)
		}
	}
	if len(accepted) < 1000 {
		t.Fatalf("only %d messages survive their damage", len(accepted))
	}
	t.Logf("%d messages survive their damage", len(accepted))
	for i, m := range inPython(t, accepted) {
		if len(m.Parts) != 2 || string(m.Parts[1].Content) != documents[i] {
			t.Errorf("%q\nis to Ward the document\n%q\nand in Python %q", accepted[i].body, documents[i], m.Parts)
		}
	}
}

// What Ward answers is well-formed to another reader of XML.
func TestAnswersToXmllint(t *testing.T) {
	_, taken, err := ebxml.WriteAcknowledgment(replyHeader(), askedID, noon)
	if err != nil {
		t.Fatal(err)
	}
	wellFormed(t, taken)
	_, failed, err := ebxml.WriteErrors(replyHeader(), askedID, noon, []ebxml.Error{{Code: "OtherXml", Location: `"<&>'`, Description: "a < b & c\r\n]]>"}})
	if err != nil {
		t.Fatal(err)
	}
	wellFormed(t, failed)
}

// wellFormed holds a document against xmllint, which reports a namespace error but
// exits with 0 on it.
func wellFormed(t *testing.T, doc []byte) {
	t.Helper()
	command := exec.CommandContext(t.Context(), "xmllint", "--noout", "--nonet", "-")
	command.Stdin = bytes.NewReader(doc)
	out, err := command.CombinedOutput()
	if err != nil || len(out) > 0 {
		t.Fatalf("xmllint (package libxml2-utils): %v\n%s\n%s", err, out, doc)
	}
}
