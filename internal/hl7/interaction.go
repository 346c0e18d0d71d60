package hl7

import (
	"time"

	"github.com/wardsmsp/ward/cpis"
	"github.com/wardsmsp/ward/internal/xmlstrict"
)

// Interaction is the Spine's query interaction, QUPC_IN000006GB01, around one
// query.
type Interaction struct {
	ID          string // upper-case UUID, used once
	Created     time.Time
	VersionCode string
	FromASID    string // ours
	ToASID      string // the Spine's
	Query       cpis.Query
}

// WriteInteraction writes the interaction with its namespaces. A person with a
// role profile is named in the control act as well as in the query.
func WriteInteraction(w *xmlstrict.Writer, i Interaction) {
	w.Start(QueryInteraction, "xmlns", Namespace, "xmlns:npfitlc", localisation)
	w.Empty("id", "root", i.ID)
	w.Empty("creationTime", "value", i.Created.UTC().Format("20060102150405"))
	w.Empty("versionCode", "code", i.VersionCode)
	w.Empty("interactionId", "root", oidInteraction, "extension", QueryInteraction)
	w.Empty("processingCode", "code", "P")
	w.Empty("processingModeCode", "code", "T")
	w.Empty("acceptAckCode", "code", "NE")
	writeDevice(w, "communicationFunctionRcv", "RCV", i.ToASID)
	writeDevice(w, "communicationFunctionSnd", "SND", i.FromASID)
	w.Start("ControlActEvent", "classCode", "CACT", "moodCode", "EVN")
	writeActAuthor(w, i.Query.Author)
	w.Start("author1", "typeCode", "AUT")
	w.Start("AgentSystemSDS", "classCode", "AGNT")
	w.Start("agentSystemSDS", "classCode", "DEV", "determinerCode", "INSTANCE")
	w.Empty("id", "root", cpis.OIDASID, "extension", i.FromASID)
	w.End()
	w.End()
	w.End()
	w.Start("subject", "typeCode", "SUBJ")
	WriteQuery(w, i.Query)
	w.End()
	w.End()
	w.End()
}

func writeDevice(w *xmlstrict.Writer, function, kind, asid string) {
	w.Start(function, "typeCode", kind)
	w.Start("device", "classCode", "DEV", "determinerCode", "INSTANCE")
	w.Empty("id", "root", cpis.OIDASID, "extension", asid)
	w.End()
	w.End()
}

func writeActAuthor(w *xmlstrict.Writer, author cpis.Author) {
	person, ok := author.(cpis.Person)
	if !ok || person.RoleProfile() == "" {
		return
	}
	w.Start("author", "typeCode", "AUT")
	w.Start("AgentPersonSDS", "classCode", "AGNT")
	w.Empty("id", "root", cpis.OIDRoleProfile, "extension", person.RoleProfile())
	w.Start("agentPersonSDS", "classCode", "PSN", "determinerCode", "INSTANCE")
	w.Empty("id", "root", cpis.OIDUserID, "extension", person.UserID())
	w.End()
	w.Start("part", "typeCode", "PART")
	w.Start("partSDSRole", "classCode", "ROL")
	w.Empty("id", "root", oidSDSRole, "extension", person.Role.Code)
	w.End()
	w.End()
	w.End()
	w.End()
}
