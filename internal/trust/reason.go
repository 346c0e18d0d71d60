package trust

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"time"
)

// Refusal is why a certificate is not relied on: a fixed text, for logs and for the
// audit log, that quotes nothing of the certificate.
type Refusal string

func (r Refusal) Error() string { return string(r) }

// The refusals of certificates (WRD-IAM-04).
const (
	NotVerified      Refusal = "the certificate was not verified"
	Expired          Refusal = "the certificate has expired"
	AuthorityExpired Refusal = "an authority above the certificate has expired"
	NotYetValid      Refusal = "the certificate is not valid yet"
	Revoked          Refusal = "the certificate is revoked"
	AuthorityRevoked Refusal = "an authority above the certificate is revoked"
	NoCurrentList    Refusal = "there is no current revocation list for the certificate"
	SelfSigned       Refusal = "the certificate is self-signed"
	UnknownAuthority Refusal = "the certificate is of no known authority"
	WrongPurpose     Refusal = "the certificate is for another purpose"
	WrongName        Refusal = "the certificate has another name"
	WrongChain       Refusal = "the chain of the certificate is not accepted"
)

func either(isLeaf bool, leaf, authority Refusal) Refusal {
	if isLeaf {
		return leaf
	}
	return authority
}

// Reason returns the certificate that TLS refused, and why. It returns nil if err
// is not about a certificate.
func Reason(err error, now time.Time) (*x509.Certificate, Refusal) {
	var failure *tls.CertificateVerificationError
	if !errors.As(err, &failure) || len(failure.UnverifiedCertificates) == 0 {
		return nil, ""
	}
	leaf := failure.UnverifiedCertificates[0]
	return leaf, reason(failure.Err, leaf, now)
}

func reason(err error, leaf *x509.Certificate, now time.Time) Refusal {
	var refusal Refusal
	var invalid x509.CertificateInvalidError
	var unknown x509.UnknownAuthorityError
	var name x509.HostnameError
	switch {
	case errors.As(err, &refusal):
		return refusal
	case errors.As(err, &name):
		return WrongName
	case errors.As(err, &unknown) && bytes.Equal(leaf.RawIssuer, leaf.RawSubject):
		return SelfSigned
	case errors.As(err, &unknown):
		return UnknownAuthority
	case errors.As(err, &invalid) && invalid.Reason == x509.Expired:
		return outOfTime(invalid.Cert, leaf, now)
	case errors.As(err, &invalid) && invalid.Reason == x509.IncompatibleUsage:
		return WrongPurpose
	default:
		return WrongChain
	}
}

func outOfTime(certificate, leaf *x509.Certificate, now time.Time) Refusal {
	switch {
	case certificate != nil && !certificate.Equal(leaf):
		return AuthorityExpired
	case now.Before(leaf.NotBefore):
		return NotYetValid
	default:
		return Expired
	}
}
