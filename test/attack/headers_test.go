package attack_test

import "strings"

// headers is abuse of request lines and headers (WRD-SEC-01).
func headers() []attack {
	// line sends a question under another request line.
	line := func(text string) func(*attacker) (*conn, error) {
		return says(func(m string) string { return head(text, isXML, length(len(m))) + m })
	}
	// with sends a question with another field.
	with := func(field string) func(*attacker) (*conn, error) {
		return says(func(m string) string { return post(m, field) })
	}
	// host sends a question with this in place of its Host.
	host := func(fields string) func(*attacker) (*conn, error) {
		return says(func(m string) string {
			return strings.Replace(post(m), "Host: smsp.example.invalid\r\n", fields, 1)
		})
	}
	raw := func(text string) func(*attacker) (*conn, error) { return says(func(string) string { return text }) }
	wanted := func(method string, status int) want {
		return want{statuses: []int{status}, method: method}
	}
	return []attack{
		{"no Host", host(""), refused(400)},
		{"two Hosts", host("Host: smsp.example.invalid\r\nHost: other.example.invalid\r\n"), refused(400)},
		{"a Host with a space in it", host("Host: smsp.example.invalid other\r\n"), refused(400)},
		{"the Host of somebody else", host("Host: other.example.invalid\r\n"), answered()},
		{"an absolute URL of somebody else", line("POST https://other.example.invalid/smsp/cpis HTTP/1.1"), answered()},
		{"an absolute URL, another path", line("POST https://smsp.example.invalid/admin HTTP/1.1"), refused(404)},
		{"a path that climbs", line("POST /admin/../smsp/cpis HTTP/1.1"), refused(404)},
		{"a path with two slashes", line("POST //smsp/cpis HTTP/1.1"), refused(404)},
		{"a path with a slash at its end", line("POST /smsp/cpis/ HTTP/1.1"), refused(404)},
		{"a path with an encoded NUL", line("POST /smsp/cpis%00 HTTP/1.1"), refused(404)},
		{"a path with a broken escape", line("POST /smsp/cpis%zz HTTP/1.1"), refused(400)},
		{"a path with a space", line("POST /smsp/cpis x HTTP/1.1"), refused(400)},
		{"a path of 64 KiB", line("POST /" + strings.Repeat("a", 64<<10) + " HTTP/1.1"), refused(431)},
		{"PUT", line("PUT /smsp/cpis HTTP/1.1"), refused(405)},
		{"DELETE", line("DELETE /smsp/cpis HTTP/1.1"), refused(405)},
		{"HEAD", line("HEAD /smsp/cpis HTTP/1.1"), wanted("HEAD", 405)},
		{"TRACE, of which nothing is echoed", line("TRACE /smsp/cpis HTTP/1.1"), refused(405)},
		{"OPTIONS *", line("OPTIONS * HTTP/1.1"), refused(404)},
		{"CONNECT", line("CONNECT spine.example.invalid:443 HTTP/1.1"), refused(404)},
		{"a method that does not exist", line("CONJURE /smsp/cpis HTTP/1.1"), refused(405)},
		{"a method in small letters", line("post /smsp/cpis HTTP/1.1"), refused(405)},
		{"a method with a slash in it", line("PO/ST /smsp/cpis HTTP/1.1"), refused(400)},
		{"a method of 64 KiB", line(strings.Repeat("P", 64<<10) + " /smsp/cpis HTTP/1.1"), refused(431)},
		{"HTTP/0.9", raw("GET /smsp/cpis\r\n\r\n"), refused(400)},
		{"HTTP/1.0", line("POST /smsp/cpis HTTP/1.0"), answeredAndClosed()},
		{"HTTP/1.0, kept alive", says(func(m string) string {
			return head("POST /smsp/cpis HTTP/1.0", isXML, length(len(m)), "Connection: keep-alive") + m
		}), answeredAndClosed()},
		{"HTTP/3.0", line("POST /smsp/cpis HTTP/3.0"), refused(505)},
		{"HTTP/1.1 in small letters", line("POST /smsp/cpis http/1.1"), refused(400)},
		{"the preface of HTTP/2", raw("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\x00\x00\x00\x04\x00\x00\x00\x00\x00"), refused(404)},
		{"an upgrade to HTTP/2 (h2c), which is ignored", with("Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAAP__"), answered()},
		{"an upgrade to WebSocket", raw(head("GET /smsp/cpis HTTP/1.1", "Connection: Upgrade", "Upgrade: websocket",
			"Sec-WebSocket-Version: 13", "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==")), refused(405)},
		{"SOAP without HTTP", raw("<?xml version=\"1.0\"?>\r\n\r\n"), refused(400)},
		{"a field of 64 KiB", with("X-Filler: " + strings.Repeat("x", 64<<10)), refused(431)},
		{"a field name of 64 KiB", with(strings.Repeat("x", 64<<10) + ": 1"), refused(431)},
		{"10,000 fields", with(strings.Repeat("X-Filler: x\r\n", 10_000) + "X: x"), refused(431)},
		{"a NUL in a field", with("X-Note: a\x00b"), refused(400)},
		{"a NUL in a field name", with("X-No\x00te: a"), refused(400)},
		{"a bare carriage return in a field", with("X-Note: a\rX-Other: b"), refused(400)},
		{"a bare line feed in a field", with("X-Note: a\nb"), refused(400)},
		{"a letter beyond ASCII in a field name", with("X-Nöte: a"), refused(400)},
		{"letters beyond ASCII in a field, which is not used", with("X-Note: höher"), answered()},
		{"a folded field, which is not used", with("X-Note: a\r\n b"), answered()},
		{"a first field that is folded", raw(postLine + "\r\n Host: smsp.example.invalid\r\n\r\n"), refused(400)},
		{"a field without a colon", with("X-Note"), refused(400)},
		{"a field without a name", with(": a"), refused(400)},
		{"a space in a field name", with("X Note: a"), refused(400)},
		{"lines that end in bare line feeds", says(func(m string) string {
			h, _, _ := strings.Cut(post(m), "\r\n\r\n")
			return strings.ReplaceAll(h, "\r\n", "\n") + "\n\n" + m
		}), answered()},
	}
}
