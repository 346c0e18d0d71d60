package main

import (
	"encoding/json"
	"os"
	"path/filepath"

	"github.com/wardsmsp/ward/internal/stage"
)

// readyFile is the file whose presence says that questions are answered.
const readyFile = "endpoints.json"

// endpoints is DIR/endpoints.json: what a script needs to take part.
type endpoints struct {
	SMSP            string  `json:"smsp"` // URL of the SMSP endpoint
	To              string  `json:"to"`   // value of wsa:To that it expects
	Username        string  `json:"username"`
	AuditIdentity   string  `json:"audit_identity"`
	ASID            string  `json:"asid"`
	Organisation    string  `json:"organisation"` // ODS code of the client
	Spine           string  `json:"spine"`
	SpineManagement string  `json:"spine_management"`
	Children        []child `json:"children"`
}

type child struct {
	NHSNumber string `json:"nhs_number"`
	Situation string `json:"situation"`
	Code      string `json:"code"` // response code to expect
}

// writeEndpoints writes the file whole or not at all: its presence says that
// everything is ready.
func writeEndpoints(s *stage.Stage) error {
	e := endpoints{
		SMSP:            s.URL,
		To:              s.URL,
		Username:        stage.Username,
		AuditIdentity:   stage.AuditIdentity,
		ASID:            stage.ClientASID,
		Organisation:    stage.ClientODS,
		Spine:           s.SpineURL(),
		SpineManagement: "http://" + s.Simulator.ManagementAddr(),
		Children:        childrenOf(s),
	}
	content, err := json.MarshalIndent(e, "", "  ")
	if err != nil {
		return err
	}
	path := filepath.Join(s.Dir, readyFile)
	err = os.WriteFile(path+".new", append(content, '\n'), 0o644)
	if err != nil {
		return err
	}
	return os.Rename(path+".new", path)
}

func childrenOf(s *stage.Stage) []child {
	var all []child
	for _, c := range s.Children(0) {
		all = append(all, child{NHSNumber: c.NHSNumber, Situation: c.Situation, Code: c.Code})
	}
	return all
}
