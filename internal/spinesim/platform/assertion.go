package platform

import (
	"bytes"
	"crypto"
	"crypto/rsa"
	"crypto/sha512"
	"encoding/base64"
	"encoding/json"
	"strconv"
	"strings"
	"time"
)

// maxAhead is how far in the future an assertion may expire.
const maxAhead = 5 * time.Minute

// refusal is why no token was given: the two members of RFC 6749's error body.
// The zero refusal is none.
type refusal struct {
	code, text string
}

func invalid(text string) refusal  { return refusal{"invalid_request", text} }
func wrongKey(text string) refusal { return refusal{"public_key error", text} }
func (r refusal) given() bool      { return r.code != "" }

func (t *tokens) keyOf(kid string) (Application, bool) {
	for _, a := range t.applications {
		if a.PublicKey != nil && a.KeyID == kid {
			return a, true
		}
	}
	return Application{}, false
}

// verify judges a client assertion, a JWT in compact form, against the token
// endpoint that it must be addressed to. It returns the application.
func (t *tokens) verify(assertion, audience string) (Application, refusal) {
	parts := strings.Split(assertion, ".")
	if len(parts) != 3 {
		return Application{}, invalid("the client assertion is not a JWT of three parts")
	}
	var header, claims map[string]any
	signature, err := base64.RawURLEncoding.Strict().DecodeString(parts[2])
	if err != nil || !decodePart(parts[0], &header) || !decodePart(parts[1], &claims) {
		return Application{}, invalid("a part of the client assertion cannot be decoded")
	}
	application, r := t.signer(header)
	if r.given() {
		return Application{}, r
	}
	digest := sha512.Sum512([]byte(parts[0] + "." + parts[1]))
	err = rsa.VerifyPKCS1v15(application.PublicKey, crypto.SHA512, digest[:], signature)
	if err != nil {
		return Application{}, wrongKey("the signature does not fit the public key of that kid")
	}
	return application, t.claims(application, claims, audience)
}

// signer judges the header: RS512, JWT, and a kid whose key is registered.
func (t *tokens) signer(header map[string]any) (Application, refusal) {
	if header["alg"] != "RS512" {
		return Application{}, invalid("the header alg must be RS512")
	}
	if header["typ"] != "JWT" {
		return Application{}, invalid("the header typ must be JWT")
	}
	_, critical := header["crit"]
	if critical {
		return Application{}, invalid("the header crit is not understood")
	}
	kid, _ := header["kid"].(string)
	if kid == "" {
		return Application{}, invalid("the header kid is missing")
	}
	application, found := t.keyOf(kid)
	if !found {
		return Application{}, wrongKey("no public key has that kid")
	}
	return application, refusal{}
}

// claims judges iss, sub, aud, exp and jti, and remembers the jti.
func (t *tokens) claims(a Application, claims map[string]any, audience string) refusal {
	if claims["iss"] == nil || claims["iss"] != claims["sub"] {
		return invalid("iss and sub must be there and be the same")
	}
	if claims["iss"] != a.APIKey {
		return invalid("iss and sub must be the API key of the application whose kid signed")
	}
	if claims["aud"] != audience {
		return invalid("aud must be the address of this token endpoint")
	}
	number, _ := claims["exp"].(json.Number)
	seconds, err := strconv.ParseInt(number.String(), 10, 64)
	if err != nil {
		return invalid("exp must be a whole number of seconds")
	}
	now, expiry := t.clock(), time.Unix(seconds, 0)
	if !expiry.After(now) {
		return invalid("exp is past")
	}
	if expiry.After(now.Add(maxAhead)) {
		return invalid("exp is more than five minutes ahead")
	}
	id, _ := claims["jti"].(string)
	if id == "" || len(id) > maxRecall {
		return invalid("jti must be a text of 1 to 100 bytes")
	}
	if !t.firstUse(a.APIKey+" "+id, now) {
		return invalid("jti was used before")
	}
	return refusal{}
}

// decodePart reads one part: Base64url of exactly one JSON object.
func decodePart(part string, into *map[string]any) bool {
	text, err := base64.RawURLEncoding.Strict().DecodeString(part)
	if err != nil {
		return false
	}
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.UseNumber()
	err = decoder.Decode(into)
	return err == nil && *into != nil && !decoder.More()
}
