package client_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"log"
	"os"
	"time"

	"github.com/wardsmsp/ward/client"
	"github.com/wardsmsp/ward/cpis"
)

// An emergency department asks when a child arrives. Each question notifies the
// responsible local authority: ask once, and never to try a connection.
func Example() {
	certificate, err := tls.LoadX509KeyPair("client.pem", "client-key.pem")
	if err != nil {
		log.Fatal(err)
	}
	anchors, err := os.ReadFile("ca.pem")
	if err != nil {
		log.Fatal(err)
	}
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(anchors)
	asker, err := client.New(client.Config{
		URL:          "https://smsp.example.invalid/smsp/cpis",
		TLS:          &tls.Config{Certificates: []tls.Certificate{certificate}, RootCAs: pool, MinVersion: tls.VersionTLS12},
		Username:     "ed-system",
		Organisation: "RXX",
		Provider:     "Y99",
	})
	if err != nil {
		log.Fatal(err)
	}
	defer asker.Close()

	number, err := cpis.ParseNHSNumber("9990000042")
	if err != nil {
		log.Fatal(err)
	}
	result := asker.Ask(context.Background(), client.Question{
		Number: number,
		Author: cpis.System{
			ASID: "200000000290",
			Authorities: []cpis.IndirectAuthority{{
				Role: cpis.Coded{Code: "R0580", System: cpis.OIDJobRole, Display: "Nurse Manager"},
				Name: cpis.PersonName{Parts: []cpis.NamePart{{Kind: "given", Text: "Imogen"}, {Kind: "family", Text: "Hartley"}}},
			}},
			Maintaining: cpis.Organisation{
				ID:   cpis.Identifier{Root: cpis.OIDOrganisation, Extension: "RXX"},
				Name: "Example Hospital NHS Trust Emergency Department",
			},
		},
		AuditIdentities: []cpis.AuditIdentity{{URI: "urn:nhs-uk:identity:ods:RXX:ed-nurse-0042"}},
	})

	fmt.Println("local authority notified:", result.Answer.Notified())
	switch result.Answer.State(cpis.DateOf(time.Now())) {
	case cpis.CurrentPlanFound, cpis.UnbornPlanFound, cpis.EndedPlanOnly:
		findings, _ := result.Answer.Findings()
		for _, record := range findings.Records {
			fmt.Println("known to", record.LocalAuthority.Name)
		}
	case cpis.NoRecordHeld:
		fmt.Println("CP-IS holds no record: that does not rule out concern")
	case cpis.NotChecked:
		fmt.Println("not checked:", result.Answer.Outcome().Meaning())
	case cpis.ResultNotKnown:
		fmt.Println("not known, telephone the local authority:", result.Answer.Outcome().Meaning())
	}
}
