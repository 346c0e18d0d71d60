package spinesim

import (
	"net/http"
	"strconv"
)

// SimulatorHeader is in every reply, so that none is taken for the real one.
const (
	SimulatorHeader      = "X-Ward-Simulator"
	simulatorHeaderValue = "not real information"
)

// mediaXML is the media type of every proper reply.
const mediaXML = "text/xml; charset=utf-8"

// response is one HTTP reply.
type response struct {
	status      int
	contentType string // empty for none
	location    string // of a redirect
	body        []byte
	close       bool // the client asked for the connection's end

	// Of an HL7 message, empty for what is none: its interaction, and the id of the
	// message to which it says that it relates.
	action, refTo string
}

func xmlResponse(status int, body []byte) response {
	return response{status: status, contentType: mediaXML, body: body}
}

func plainResponse(status int, text string) response {
	return response{status: status, contentType: "text/plain; charset=utf-8", body: []byte(text + "\n")}
}

// head is the status line and the headers.
func (r response) head(buf []byte, last bool) []byte {
	buf = append(buf, "HTTP/1.1 "...)
	buf = strconv.AppendInt(buf, int64(r.status), 10)
	buf = append(buf, ' ')
	buf = append(buf, http.StatusText(r.status)...)
	buf = append(buf, "\r\n"+SimulatorHeader+": "+simulatorHeaderValue+"\r\n"...)
	if r.contentType != "" {
		buf = append(buf, "Content-Type: "...)
		buf = append(buf, r.contentType...)
		buf = append(buf, "\r\n"...)
	}
	if r.location != "" {
		buf = append(buf, "Location: "...)
		buf = append(buf, r.location...)
		buf = append(buf, "\r\n"...)
	}
	if last {
		buf = append(buf, "Connection: close\r\n"...)
	}
	buf = append(buf, "Content-Length: "...)
	buf = strconv.AppendInt(buf, int64(len(r.body)), 10)
	return append(buf, "\r\n\r\n"...)
}

// write delivers a reply properly; last announces the connection's end.
func (c *conn) write(r response, last bool) (more bool) {
	var head [512]byte
	if len(r.body) > 128<<10 {
		_, err := c.tls.Write(r.head(head[:0], last))
		if err != nil {
			return false
		}
		_, err = c.tls.Write(r.body)
		return err == nil && !last
	}
	c.wire = append(r.head(c.wire[:0], last), r.body...)
	_, err := c.tls.Write(c.wire)
	return err == nil && !last
}
