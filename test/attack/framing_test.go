package attack_test

import (
	"fmt"
	"strings"
)

// framing is doubt about where a request ends (WRD-SEC-05). Behind the doubtful
// request stands a question that is as it should be: if it is asked, it was smuggled.
func framing() []attack {
	// field sends a question with this in place of its Content-Length, %d being the
	// length of its body.
	field := func(format string) func(*attacker) (*conn, error) {
		return says(func(m string) string {
			return head(postLine, isXML, strings.ReplaceAll(format, "%d", fmt.Sprint(len(m)))) + m + post(m)
		})
	}
	// encoded sends a question in a chunk with these fields, and another.
	encoded := func(fields ...string) func(*attacker) (*conn, error) {
		return says(func(m string) string {
			return head(postLine, append(fields, isXML)...) + inChunk(m) + post(m)
		})
	}
	// chunks sends this as the chunked body, and a question behind it.
	chunks := func(body func(m string) string, fields ...string) func(*attacker) (*conn, error) {
		return says(func(m string) string {
			return head(postLine, append(fields, isXML, "Transfer-Encoding: chunked")...) + body(m) + post(m)
		})
	}
	begins := func(text string) func(string) string { return func(string) string { return text } }
	return []attack{
		{"two lengths that differ", field("Content-Length: %d\r\nContent-Length: 6"), refused(400)},
		{"two lengths that differ, the first 0", field("Content-Length: 0\r\nContent-Length: %d"), refused(400)},
		{"two equal lengths", says(func(m string) string { return post(m, length(len(m))) }), answered()},
		{"two lengths in one field", field("Content-Length: %d, %d"), refused(400)},
		{"a length with a plus sign", field("Content-Length: +%d"), refused(400)},
		{"a length with a minus sign", field("Content-Length: -%d"), refused(400)},
		{"a length with a space in it", field("Content-Length: 1 %d"), refused(400)},
		{"a length in hexadecimal digits", field("Content-Length: 0xc00"), refused(400)},
		{"a length with a point", field("Content-Length: %d.0"), refused(400)},
		{"a length that is empty", field("Content-Length:"), refused(400)},
		{"a length beyond 64 bits", field("Content-Length: 36893488147419103232"), refused(400)},
		{"a space before the colon of the length", field("Content-Length : %d"), refused(400)},
		{"a length folded over two lines, in two numbers", field("Content-Length: 1\r\n %d"), refused(400)},
		{"chunks, and a length that covers a question behind them (CL.TE)", says(func(m string) string {
			end := "0\r\n\r\n"
			return head(postLine, isXML, "Transfer-Encoding: chunked", length(len(end+post(m)))) + end + post(m)
		}), refused(500)},
		{"chunks, and a length that covers less than they do (TE.CL)", encoded("Transfer-Encoding: chunked", length(4)), answeredAndClosed()},
		{"chunks, and a length of 0", encoded("Transfer-Encoding: chunked", length(0)), answeredAndClosed()},
		{"chunks, and a length that is none", encoded("Transfer-Encoding: chunked", "Content-Length: x"), refused(400)},
		{"a question in a chunk, a question behind it", encoded("Transfer-Encoding: chunked"), answeredAndClosed()},
		{"encoding: chunked, identity", encoded("Transfer-Encoding: chunked, identity"), refused(501)},
		{"encoding: identity", encoded("Transfer-Encoding: identity"), refused(501)},
		{"encoding: gzip, chunked", encoded("Transfer-Encoding: gzip, chunked"), refused(501)},
		{"encoding: chunked, chunked", encoded("Transfer-Encoding: chunked, chunked"), refused(501)},
		{"encoding in two fields", encoded("Transfer-Encoding: chunked", "Transfer-Encoding: identity"), refused(501)},
		{"encoding: xchunked", encoded("Transfer-Encoding: xchunked"), refused(501)},
		{"encoding: chunked;q=1", encoded("Transfer-Encoding: chunked;q=1"), refused(501)},
		{"encoding: \"chunked\" in quotes", encoded(`Transfer-Encoding: "chunked"`), refused(501)},
		{"encoding that is empty", encoded("Transfer-Encoding:"), refused(501)},
		{"encoding with a vertical tab", encoded("Transfer-Encoding: \vchunked"), refused(400)},
		{"encoding with a tab and trailing spaces", encoded("Transfer-Encoding:\tchunked  "), answeredAndClosed()},
		{"encoding folded onto the next line", encoded("Transfer-Encoding:\r\n chunked"), answeredAndClosed()},
		{"a space before the colon of the encoding", encoded("Transfer-Encoding : chunked"), refused(400)},
		{"chunks in HTTP/1.0, kept alive", says(func(m string) string {
			return head("POST /smsp/cpis HTTP/1.0", isXML, "Connection: keep-alive", "Transfer-Encoding: chunked") + post(m)
		}), refused(500)},
		{"chunks and a length in HTTP/1.0, kept alive", says(func(m string) string {
			return head("POST /smsp/cpis HTTP/1.0", isXML, "Connection: keep-alive", "Transfer-Encoding: chunked", length(len(m))) + m + post(m)
		}), answeredAndClosed()},
		{"a chunk whose size is no number", chunks(begins("xyz\r\n")), refused(400)},
		{"a chunk whose size is negative", chunks(begins("-1\r\n")), refused(400)},
		{"a chunk whose size has a sign", chunks(begins("+5\r\n<soap\r\n")), refused(400)},
		{"a chunk whose size begins with 0x", chunks(begins("0x5\r\n<soap\r\n")), refused(400)},
		{"a chunk whose size is beyond 64 bits", chunks(begins("10000000000000005\r\n<soap\r\n")), refused(400)},
		{"a chunk without a size", chunks(begins("\r\n<soap\r\n")), refused(400)},
		{"a chunk that is longer than its size", chunks(begins("4\r\n<soap\r\n0\r\n\r\n")), refused(400)},
		{"a chunk size that ends in a bare line feed", chunks(begins("5\n<soap\r\n0\r\n\r\n")), refused(400)},
		{"a chunk size with a carriage return in it", chunks(begins("5\r5\r\n<soap\r\n0\r\n\r\n")), refused(400)},
		{"a chunk size line of 64 KiB", chunks(begins(strings.Repeat("0", 64<<10) + "5\r\n<soap\r\n0\r\n\r\n")), refused(400)},
		{"a chunk extension of 64 KiB", chunks(begins("5;" + strings.Repeat("a", 64<<10) + "\r\n<soap\r\n0\r\n\r\n")), refused(400)},
		{"10,000 chunks of one byte with extensions", chunks(begins(strings.Repeat("1;name=value-of-the-extension\r\n \r\n", 10_000))), refused(400)},
		{"a question in a chunk with a trailer", chunks(func(m string) string {
			return strings.TrimSuffix(inChunk(m), "\r\n") + "X-Sum: 1\r\n\r\n"
		}, "Trailer: X-Sum"), answeredAndClosed()},
		{"a trailer that announces a length", chunks(begins("0\r\nContent-Length: 5\r\n\r\n"), "Trailer: Content-Length"), refused(400)},
		{"trailers of 64 KiB", chunks(begins("0\r\n" + strings.Repeat("X-Trailer: filler\r\n", 4<<10) + "\r\n")), refused(400)},
		{"two questions in one write, each answered in its order", func(a *attacker) (*conn, error) {
			return a.say(post(a.message()) + post(a.message()))
		}, want{statuses: []int{200, 200}, kept: true, asked: 2}},
		{"a question, then rubbish", says(func(m string) string { return post(m) + "<soap:Envelope>\r\n\r\n" }),
			want{statuses: []int{200, 400}, asked: 1}},
		{"a question that asks to close, then another", says(func(m string) string { return post(m, "Connection: close") + post(m) }), answeredAndClosed()},
		{"a length of 0, then a question", says(func(m string) string { return post("") + post(m) }), refused(500)},
		{"a length that cuts the message, then a question in its rest", says(func(m string) string {
			return post(m[:100]) + post(m)
		}), refused(500)},
		{"no length at all, then a question as the body", says(func(m string) string { return head(postLine, isXML) + post(m) }), refused(500)},
		{"another media type with a question as its body", says(func(m string) string {
			return head(postLine, "Content-Type: text/plain", length(len(post(m)))) + post(m)
		}), refused(415)},
		{"another path with a question as its body", says(func(m string) string {
			return head("POST /smsp HTTP/1.1", isXML, length(len(post(m)))) + post(m)
		}), refused(404)},
		{"GET with a question as its body", says(func(m string) string {
			return head("GET /smsp/cpis HTTP/1.1", isXML, length(len(post(m)))) + post(m)
		}), refused(405)},
		{"GET, then a question", says(func(m string) string { return head("GET /smsp/cpis HTTP/1.1") + post(m) }), refused(405)},
		{"a stranger's request, then a question", func(a *attacker) (*conn, error) {
			return a.as(a.stranger).say(post("<soap/>") + post(a.message()))
		}, refused(403)},
		{"an Expect that cannot be met, then a question", says(func(m string) string { return post("", "Expect: a-miracle") + post(m) }), refused(417)},
	}
}
