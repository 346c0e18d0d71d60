package pds

import (
	"context"
	"crypto/rsa"
	"crypto/tls"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"github.com/google/uuid"
)

// assertionLife is how long an assertion is good for. The service allows five minutes;
// less leaves room for a clock that is ahead.
const assertionLife = 3 * time.Minute

// Limits of what the token service may say.
const (
	maxTokenReply = 64 << 10 // bytes
	maxToken      = 16 << 10 // bytes
	maxTokenLife  = time.Hour
)

// minKeyBits is what RS512 needs at least; the service asks applications for 4096.
const minKeyBits = 2048

// ParseKey reads an RSA private key from PEM, in the form of PKCS #1 or PKCS #8.
func ParseKey(content []byte) (*rsa.PrivateKey, error) {
	key, err := jwt.ParseRSAPrivateKeyFromPEM(content)
	if err != nil {
		return nil, errors.New("is not an RSA private key in PEM without a password")
	}
	if key.N.BitLen() < minKeyBits {
		return nil, errors.New("is too short; the service asks for 4096 bits")
	}
	return key, nil
}

// tokens keeps the access token of an application: OAuth2 client credentials with a
// signed assertion.
type tokens struct {
	config Config
	http   *http.Client
	pause  pause

	turn    chan struct{} // held by whoever looks at what follows, and asks for a new token
	current token
	failure error // why there was no new token
}

type token struct {
	value          string
	renew, expires time.Time // renew before it expires
}

func newTokens(config Config, client *http.Client) *tokens {
	return &tokens{config: config, http: client, turn: make(chan struct{}, 1)}
}

// token returns an access token that is not the refused one; "" means that none was
// refused. One question at a time asks for a new token, and the others wait for it. The
// error is a Failure.
func (t *tokens) token(ctx context.Context, refused string) (string, error) {
	select {
	case t.turn <- struct{}{}:
		defer func() { <-t.turn }()
	case <-ctx.Done():
		return "", NoToken
	}
	now := t.config.Now()
	usable := t.current.value != refused && now.Before(t.current.expires)
	if usable && now.Before(t.current.renew) {
		return t.current.value, nil
	}
	err := t.fetch(ctx, now)
	if err != nil && !usable {
		return "", err
	}
	return t.current.value, nil
}

// rejected makes a pause after a token was refused that is new: asking for another one
// at once would not help.
func (t *tokens) rejected() { t.pause.failed(t.config.Now(), time.Second, 0) }

// fetch asks for a new token unless there is a pause.
func (t *tokens) fetch(ctx context.Context, now time.Time) error {
	if t.pause.active(now) {
		if t.failure == nil {
			return TokenRefused
		}
		return t.failure
	}
	fresh, asked, err := t.ask(ctx, now)
	switch {
	case err == nil:
		t.pause.worked()
		t.current, t.failure = fresh, nil
	case !errors.Is(ctx.Err(), context.Canceled): // a question that was given up says nothing of the service
		t.pause.failed(t.config.Now(), time.Second, asked)
		t.failure = err
	}
	return err
}

// ask asks for a token. With an error, asked is the pause that the service asks for.
func (t *tokens) ask(ctx context.Context, now time.Time) (fresh token, asked time.Duration, err error) {
	assertion, err := t.assertion(now)
	if err != nil {
		return token{}, 0, NotRegistered
	}
	form := url.Values{
		"grant_type":            {"client_credentials"},
		"client_assertion_type": {"urn:ietf:params:oauth:client-assertion-type:jwt-bearer"},
		"client_assertion":      {assertion},
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, t.config.TokenURL.String(), strings.NewReader(form.Encode()))
	if err != nil {
		return token{}, 0, NoToken
	}
	request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	request.Header.Set("Accept", "application/json")
	answer, err := t.http.Do(request)
	if err != nil {
		return token{}, 0, tokenFailure(err)
	}
	defer answer.Body.Close()
	switch answer.StatusCode {
	case http.StatusOK:
	case http.StatusBadRequest, http.StatusUnauthorized, http.StatusForbidden:
		return token{}, 0, NotRegistered
	default:
		return token{}, retryAfter(answer.Header, now), NoToken
	}
	body, err := io.ReadAll(io.LimitReader(answer.Body, maxTokenReply+1))
	if err != nil || len(body) > maxTokenReply {
		return token{}, 0, NoToken
	}
	fresh, err = readToken(body, now)
	return fresh, 0, err
}

func tokenFailure(err error) Failure {
	var certificate *tls.CertificateVerificationError
	if errors.As(err, &certificate) {
		return WrongCertificate
	}
	return NoToken
}

// assertion is a signed JWT with an id that no other one has.
func (t *tokens) assertion(now time.Time) (string, error) {
	unsigned := jwt.NewWithClaims(jwt.SigningMethodRS512, jwt.MapClaims{
		"iss": t.config.APIKey,
		"sub": t.config.APIKey,
		"aud": t.config.TokenURL.String(), // a text: not every service takes a list
		"jti": uuid.NewString(),
		"exp": now.Add(assertionLife).Unix(),
	})
	unsigned.Header["kid"] = t.config.KeyID
	return unsigned.SignedString(t.config.Key)
}

// readToken reads what the token service says. The error is NoToken.
func readToken(body []byte, now time.Time) (token, error) {
	if !json.Valid(body) {
		return token{}, NoToken
	}
	members, err := object(body, "access_token", "expires_in", "token_type")
	if err != nil {
		return token{}, NoToken
	}
	value, _ := text(members["access_token"])
	kind, _ := text(members["token_type"])
	seconds, isText := text(members["expires_in"]) // the service writes the number as a text
	if !isText {
		seconds = string(members["expires_in"])
	}
	life, err := strconv.ParseUint(seconds, 10, 31)
	if err != nil || life == 0 || !isBearer(value) || !strings.EqualFold(kind, "Bearer") {
		return token{}, NoToken
	}
	lasts := min(time.Duration(life)*time.Second, maxTokenLife)
	return token{value: value, renew: now.Add(lasts - lasts/10), expires: now.Add(lasts)}, nil
}

// isBearer reports whether a text can stand in an Authorization header.
func isBearer(s string) bool {
	if s == "" || len(s) > maxToken {
		return false
	}
	return !strings.ContainsFunc(s, func(r rune) bool { return r <= ' ' || r > '~' })
}
