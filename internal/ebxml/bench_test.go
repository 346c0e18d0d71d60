package ebxml_test

import (
	"strings"
	"testing"

	"github.com/wardsmsp/ward/internal/ebxml"
)

// ordinary is an HL7 document of the length of an ordinary one.
var ordinary = `<x xmlns="urn:hl7-org:v3">` + strings.Repeat(`<y z="1">text</y>`, 300) + `</x>`

func BenchmarkWriteRequest(b *testing.B) {
	h, c, payload := question(), unreliable(), []byte(ordinary)
	b.SetBytes(int64(len(ordinary)))
	b.ReportAllocs()
	for b.Loop() {
		_, _, err := ebxml.WriteRequest(h, payload, c)
		if err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkRead(b *testing.B) {
	body := multipart(envelopeFields+"\r\n"+envelope(businessHeader, manifest), documentFields+"\r\n"+ordinary)
	b.SetBytes(int64(len(body)))
	b.ReportAllocs()
	for b.Loop() {
		_, err := ebxml.Read(multipartType, body, limits)
		if err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkReadAcknowledgment(b *testing.B) {
	body := envelope(takenHeader+acknowledgment, "")
	b.SetBytes(int64(len(body)))
	b.ReportAllocs()
	for b.Loop() {
		_, err := ebxml.Read("text/xml", body, limits)
		if err != nil {
			b.Fatal(err)
		}
	}
}
