package providers

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"math/big"
	"strings"
	"time"
)

func method(name string) change {
	return carried(func(h *draftHTTP) { h.method = name })
}

func field(lines ...string) change {
	return carried(func(h *draftHTTP) { h.fields = append(h.fields, lines...) })
}

func contentType(value string) change {
	return carried(func(h *draftHTTP) { h.contentType = value })
}

func soapAction(line string) change {
	return carried(func(h *draftHTTP) { h.soapAction = line })
}

// noSOAPAction leaves the SOAPAction out, so that it contradicts nothing.
func noSOAPAction(d *draft) { d.http.soapAction = "" }

func overTLS(c func(*tls.Config)) change {
	return carried(func(h *draftHTTP) { h.tls = c })
}

// httpRefused is who is not let in, and what is refused before the message is looked at.
func httpRefused() []trial {
	noEntry := func(id, title, requirements string, changes ...change) trial {
		return one("T-"+id, title, requirements, want{noAnswer: true}, changes...)
	}
	// Web servers that ask for a certificate without demanding it say so in HTTP.
	stranger := func(id, title, requirements string, changes ...change) trial {
		return one("T-"+id, title, requirements, want{noAnswer: true, statuses: []int{400, 403}}, changes...)
	}
	media := func(id, title, value string) trial {
		return turnedAway("H-media-"+id, title, "WRD-MSG-01", contentType(value))
	}
	encoded := func(id, title, encoding string) trial {
		return turnedAway("H-encoding-"+id, title, "WRD-MSG-25", field("Content-Encoding: "+encoding))
	}
	wrongAction := func(id, title, value string) trial {
		return refused("L1-"+id, title, "WRD-MSG-15", soapAction("SOAPAction: "+value))
	}
	ambiguous := func(id, title string, changes ...change) trial {
		return turnedAway("H-"+id, title, "WRD-SEC-05", changes...)
	}
	withhold := carried(func(h *draftHTTP) { h.withhold = true })
	long := carried(func(h *draftHTTP) { h.length, h.withhold = "1073741824", true })
	return []trial{
		stranger("no-certificate", "A connection comes without a certificate.", "WRD-IAM-01", overTLS(func(c *tls.Config) { c.Certificates = nil })),
		stranger("unknown-authority", "The certificate is of an authority that nobody trusts.", "WRD-IAM-01 WRD-IAM-04", overTLS(asStranger)),
		noEntry("tls-1.1", "No version of TLS above 1.1 is offered.", "WRD-IAM-06", overTLS(func(c *tls.Config) {
			c.MinVersion, c.MaxVersion = tls.VersionTLS10, tls.VersionTLS11
		})),
		noEntry("weak-suites", "No cipher suite with forward secrecy is offered.", "WRD-IAM-06", overTLS(func(c *tls.Config) {
			c.MaxVersion, c.CipherSuites = tls.VersionTLS12, []uint16{tls.TLS_RSA_WITH_AES_128_GCM_SHA256, tls.TLS_RSA_WITH_AES_128_CBC_SHA}
		})),

		turnedAway("H-get", "The method is GET.", "WRD-MSG-01", method("GET"), withhold, length0),
		turnedAway("H-put", "The method is PUT.", "WRD-MSG-01", method("PUT")),
		turnedAway("H-delete", "The method is DELETE.", "WRD-MSG-01", method("DELETE")),
		turnedAway("H-patch", "The method is PATCH.", "WRD-MSG-01", method("PATCH")),
		turnedAway("H-method-case", "The method is in lower case.", "WRD-MSG-01", method("post")),
		media("none", "The message has no media type.", ""),
		media("json", "The media type is JSON.", "application/json"),
		media("text", "The media type is plain text.", "text/plain; charset=utf-8"),
		media("form", "The media type is that of a form.", "application/x-www-form-urlencoded"),
		media("bytes", "The media type is that of bytes.", "application/octet-stream"),
		media("multipart", "The message is a part of a multipart message, as MTOM sends it.", `multipart/related; boundary="x"; type="text/xml"`),
		media("broken", "The media type cannot be read.", "text/"),
		media("xml-like", "The media type only begins as XML does.", "text/xmlish"),
		encoded("gzip", "The message is compressed.", "gzip"),
		encoded("deflate", "The message is compressed in another way.", "deflate"),
		encoded("unknown", "The message has an encoding that nobody knows.", "x-ward"),
		turnedAway("H-too-large", "The message is announced as a gigabyte.", "WRD-SEC-01", long),
		turnedAway("H-too-large-expecting", "The message is announced as a gigabyte, and waits for leave to be sent.", "WRD-SEC-01", long, carried(func(h *draftHTTP) { h.expect = true })),
		turnedAway("H-too-large-chunked", "The message is five megabytes long and does not say so.", "WRD-SEC-01", carried(func(h *draftHTTP) { h.chunked = true }),
			finally(func(doc string) string { return doc + strings.Repeat(" ", 5<<20) })),
		ambiguous("no-host", "The request names no host.", carried(func(h *draftHTTP) { h.noHost = true })),
		ambiguous("two-hosts", "The request names two hosts.", field("Host: other.example.invalid")),
		ambiguous("length-word", "The length of the message is a word.", carried(func(h *draftHTTP) { h.length = "many" })),
		ambiguous("length-negative", "The length of the message is negative.", carried(func(h *draftHTTP) { h.length = "-1" })),
		ambiguous("two-lengths", "The message has two lengths.", field("Content-Length: 7")),
		ambiguous("unknown-transfer", "The message has a transfer coding that nobody knows.", field("Transfer-Encoding: x-ward")),
		ambiguous("broken-field", "A header field has a space in its name.", field("X Y: 1")),
		ambiguous("version", "The version of HTTP does not exist.", carried(func(h *draftHTTP) { h.version = "HTTP/3.7" })),

		wrongAction("other-service", "The SOAPAction is that of another mini service.", "urn:nhs-itk:services:201005:getPatientDetails-v1-0"),
		wrongAction("other-quoted", "The SOAPAction is that of another mini service, in quotes.", `"urn:nhs-itk:services:201005:getPatientDetails-v1-0"`),
		wrongAction("response", "The SOAPAction is that of the response.", responseService),
		wrongAction("case", "The SOAPAction is in other letters.", strings.ToUpper(requestService)),
	}
}

func length0(d *draft) { d.http.length, d.http.contentType = "0", "" }

// asStranger replaces the tester's certificate by one that signs itself.
func asStranger(c *tls.Config) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(time.Now().UnixNano()),
		Subject:      pkix.Name{CommonName: "stranger.example.invalid"},
		NotBefore:    time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		return
	}
	stranger := tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
	c.Certificates = nil
	// Whatever authorities the other side names, this one is shown.
	c.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return &stranger, nil }
}

// httpAccepted is how messages may be carried (L1, L2, L16).
func httpAccepted() []trial {
	carriage := func(id, title string, changes ...change) trial {
		return accepted("L16-"+id, title, "WRD-MSG-01", changes...)
	}
	media := func(id, title, value string) trial {
		return accepted("L2-"+id, title, "WRD-MSG-17", contentType(value))
	}
	action := func(id, title, line string) trial {
		return accepted("L1-"+id, title, "WRD-MSG-15", soapAction(line))
	}
	return []trial{
		action("absent", "There is no SOAPAction.", ""),
		action("empty", "The SOAPAction is empty.", "SOAPAction:"),
		action("empty-quotes", "The SOAPAction is an empty text in quotes.", `SOAPAction: ""`),
		action("quoted", "The SOAPAction is in quotes.", `SOAPAction: "`+requestService+`"`),
		action("unquoted", "The SOAPAction is without quotes.", `SOAPAction: `+requestService),
		action("lower-case-name", "The name of the SOAPAction is in lower case.", `soapaction: "`+requestService+`"`),
		media("no-charset", "The media type names no charset.", "text/xml"),
		media("charset-quoted", "The charset is in quotes and upper case.", `text/xml; charset="UTF-8"`),
		media("latin1", "The charset is ISO-8859-1, although the message is UTF-8.", "text/xml; charset=ISO-8859-1"),
		media("ascii", "The charset is US-ASCII, although the message is UTF-8.", "text/xml; charset=us-ascii"),
		media("application-xml", "The media type is application/xml.", "application/xml"),
		media("case", "The media type is in upper case.", "TEXT/XML; CHARSET=UTF-8"),
		carriage("chunked", "The message comes in pieces, without its length.", carried(func(h *draftHTTP) { h.chunked = true })),
		carriage("expect", "The message waits for leave to be sent.", carried(func(h *draftHTTP) { h.expect = true })),
		carriage("http-1.0", "The message comes over HTTP/1.0.", carried(func(h *draftHTTP) { h.version = "HTTP/1.0" }), field("Connection: close")),
		carriage("accept-gzip", "The client would take a compressed answer.", field("Accept-Encoding: gzip, deflate")),
		carriage("accept", "The client takes XML or SOAP.", field("Accept: text/xml, application/soap+xml;q=0.9", "User-Agent: Apache-HttpClient/4.5.14")),
		carriage("close", "The client closes the connection after the answer.", field("Connection: close")),
		{id: "L16-keep-alive", title: "Two questions come over one connection, as long as it is kept open (two messages).", requirements: "WRD-MSG-01", together: true,
			steps: []step{{all(), found()}, {all(), found()}}},
		{id: "L16-after-fault", title: "A question follows a message that was refused, over the same connection if it is kept open (two messages).", requirements: "WRD-MSG-01", together: true,
			steps: []step{{to("urn:example:other"), fault("Client", "1000")}, {all(), found()}}},
		accepted("T-tls-1.2", "The connection is TLS 1.2.", "WRD-IAM-06", overTLS(func(c *tls.Config) { c.MaxVersion = tls.VersionTLS12 })),
		accepted("T-tls-1.3", "The connection is TLS 1.3.", "WRD-IAM-06", overTLS(func(c *tls.Config) { c.MinVersion = tls.VersionTLS13 })),
		accepted("L15-no-declaration", "There is no XML declaration.", "WRD-MSG-17", func(d *draft) { d.declaration = "" }),
		accepted("L15-no-encoding", "The XML declaration names no encoding.", "WRD-MSG-17", func(d *draft) { d.declaration = `<?xml version="1.0"?>` }),
		accepted("L15-lower-case", "The XML declaration names the encoding in lower case.", "WRD-MSG-17", func(d *draft) { d.declaration = `<?xml version="1.0" encoding="utf-8"?>` }),
		accepted("L15-single-quotes", "The XML declaration has single quotes.", "WRD-MSG-17", func(d *draft) { d.declaration = `<?xml version='1.0' encoding='UTF-8' standalone='yes'?>` + "\r\n" }),
		accepted("L15-byte-order-mark", "A byte order mark stands before the message.", "WRD-MSG-17", finally(func(doc string) string { return "\ufeff" + doc })),
	}
}
