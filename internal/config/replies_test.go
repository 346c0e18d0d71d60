package config_test

import (
	"crypto/tls"
	"strings"
	"testing"
)

// repliesFile is wardFile with the asynchronous pattern.
var repliesFile = strings.Replace(wardFile, "[spine]\n", "[spine]\npattern = \"async\"\n", 1) + `[spine.contract]
cpa_id = "S2001919A2012002"
from_party = "Y99-0000001"
to_party = "YES-0000806"
[replies]
address = "127.0.0.1:0"
certificate = "server.pem"
key = "server-key.pem"
ca = "ca.pem"
peers = ["dns:spine.example.invalid"]
`

// WRD-IAM-01, WRD-IAM-04, WRD-SAF-17: the listener for replies is always mutually
// authenticated, and its section is right as a whole or refused.
func TestReplies(t *testing.T) {
	dir := folder(t)
	s := mustLoad(t, put(t, dir, repliesFile))
	if s.RepliesTLS == nil || s.RepliesTLS.ClientAuth != tls.RequireAndVerifyClientCert || s.RepliesTLS.MinVersion != tls.VersionTLS12 || s.Trust.Replies != nil {
		t.Errorf("%+v", s.RepliesTLS)
	}
	if fact := s.Facts()["replies.key"]; !strings.HasPrefix(fact, "spki:") {
		t.Errorf("the fact of the key is %s", fact)
	}
	listed := mustLoad(t, put(t, dir, in("replies", `crls = ["list.crl"]`)(t, repliesFile)))
	if listed.Trust.Replies == nil || listed.RepliesTLS.VerifyConnection == nil {
		t.Error("no revocation lists")
	}
	without := mustLoad(t, put(t, dir, wardFile))
	if without.RepliesTLS != nil {
		t.Error("a listener for the synchronous pattern")
	}
	rules := []rule{
		{"no address", setLast("address", `""`), "replies.address", "host:port"},
		{"a path without a slash", in("replies", `path = "replies"`), "replies.path", "path of a URL"},
		{"a path with a query", in("replies", `path = "/replies?a"`), "replies.path", "path of a URL"},
		{"no certificate", setLast("certificate", `""`), "replies.certificate", "missing"},
		{"a key that others may read", setLast("key", `"open-key.pem"`), "replies.key", "chmod 600"},
		{"no anchors", setLast("ca", `"text"`), "replies.ca", "no certificate"},
		{"a list that is none", in("replies", `crls = ["text"]`), "replies.crls", "entry 1"},
		{"a grace period too long", in("replies", `revocation_grace = "1000h"`), "replies.revocation_grace", "between"},
		{"no peer", setLast("peers", `[]`), "replies.peers", "at least one"},
		{"a peer of no form", setLast("peers", `["spine"]`), "replies.peers", "sha256:HEX"},
		{"the live Spine as a peer of a test", setLast("peers", `["dns:x.national.ncrs.nhs.uk"]`), "replies.peers", "WRD-SAF-17"},
		{"a message too large", in("replies", "max_body = 16777217"), "replies.max_body", "at most"},
		{"a memory too short", in("replies", `remember = "1s"`), "replies.remember", "between"},
	}
	for _, key := range []string{"connections", "connections_per_address", "deliveries", "max_body"} {
		rules = append(rules, notPositive("replies", key, false)...)
	}
	for _, key := range []string{"timeout", "idle_timeout"} {
		rules = append(rules, notPositive("replies", key, true)...)
	}
	for _, r := range rules {
		t.Run(r.name, func(t *testing.T) { r.test(t, dir, repliesFile, loadWard) })
	}
}
