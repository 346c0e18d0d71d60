package spinesim

import (
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"fmt"
	"strings"
)

// GuardService refuses, for a simulated service that stands beside this one,
// what a simulator refuses for itself: an address that others reach without
// leave or that is under a domain of the NHS, a management address that is not
// loopback, a server certificate that is missing or looks real. The management
// address may be empty.
func GuardService(address, management string, allowNonLoopback bool, certificate tls.Certificate) error {
	err := guardAddresses(Config{Address: address, ManagementAddress: management, AllowNonLoopback: allowNonLoopback})
	if err != nil {
		return err
	}
	return guardOwnCertificate("server", certificate)
}

// GuardName refuses a name under a domain of the NHS; what says where it stands.
func GuardName(what, name string) error {
	if productionName(name) {
		return fmt.Errorf("the %s %q is under a domain of the NHS: a simulator must not name it", what, name)
	}
	return nil
}

// GuardIssuer refuses an issuer that carries a name under a domain of the NHS
// or its organisation; whose, as "list issuer's", says which one it is.
func GuardIssuer(whose string, issuer pkix.Name) error {
	return guardCertificate(whose, &x509.Certificate{Subject: issuer})
}

// ValidNumber reports ten digits that pass Modulus 11.
func ValidNumber(number string) bool { return validNumber(number) }

// TestNumber reports an NHS number of the test range: ten digits that begin
// with 999 and pass Modulus 11.
func TestNumber(number string) bool {
	return strings.HasPrefix(number, "999") && validNumber(number)
}
