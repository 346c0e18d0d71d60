package spine

import (
	"strings"
	"testing"

	"github.com/wardsmsp/ward/cpis"
)

// FuzzHTTPResponse: whatever bytes come back, the outcome is "no record" only if the
// reply says so, "found" only with a record, and no data comes with anything else
// (WRD-SPN-12, WRD-SEC-07).
func FuzzHTTPResponse(f *testing.F) {
	client, question := judging(f)
	const head = "HTTP/1.1 200 OK\r\nContent-Type: text/xml\r\n"
	for _, body := range goodReplies() {
		f.Add([]byte(head + "Connection: close\r\n\r\n" + body))
		f.Add([]byte(head + "Transfer-Encoding: chunked\r\n\r\n" + chunked(body)))
		f.Add([]byte("HTTP/1.1 100 Continue\r\n\r\n" + head + "\r\n" + body))
		f.Add([]byte(strings.Replace(head, "200 OK", "500 Internal Server Error", 1) + "\r\n" + body))
	}
	f.Add([]byte(head + "Content-Length: 5\r\nContent-Length: 6\r\n\r\n<a/>\r\n"))
	f.Add([]byte("HTTP/1.1 502 Bad Gateway\r\nContent-Type: text/html\r\n\r\n<html/>"))
	f.Add([]byte(head + "\r\n" + envelopeAround(`<SOAP:Fault><faultcode>SOAP:Client</faultcode></SOAP:Fault>`)))
	f.Add([]byte(head + "\r\n" + envelopeAround(`<MCCI_IN010000UK13><acknowledgement typeCode="AR"/></MCCI_IN010000UK13>`)))
	for _, c := range hostileReplies {
		body := c.change(goodReplies()[cpis.NoRecord])
		if len(body) < 8<<10 {
			f.Add([]byte(head + "\r\n" + body))
		}
	}
	f.Fuzz(func(t *testing.T, response []byte) {
		r, _, err := client.pool.read(connOf(string(response), client.config.MaxReply))
		if err != nil {
			return
		}
		answer := client.judge(r, question, askedID)
		findings, data := answer.Findings()
		switch answer.Outcome() {
		case cpis.Found:
			if len(findings.Records) == 0 || !strings.Contains(r.body, "REPC_IN000007GB01") {
				t.Fatal("found without a record or a success")
			}
		case cpis.NoRecord:
			if !strings.Contains(r.body, "QUQI_IN010000UK14") && !strings.Contains(r.body, "REPC_IN000007GB01") {
				t.Fatal("no record without the reply that says so")
			}
		}
		if data != (answer.Outcome() == cpis.Found) {
			t.Fatal("data without the outcome found, or the reverse")
		}
	})
}
