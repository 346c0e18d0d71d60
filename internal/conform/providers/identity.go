package providers

import "strings"

// identitiesRefused is the audit identity (N18, COR-DEH), and where it and the author
// disagree (N36).
func identitiesRefused() []trial {
	identity := func(id, title, requirements, uri string) trial {
		return refused("N18-"+id, title, requirements, replace(identityID, `<itk:id uri="`+uri+`"/>`))
	}
	typed := func(id, title, requirements, kind, uri string) trial {
		return refused("N18-"+id, title, requirements, replace(identityID, `<itk:id type="`+kind+`" uri="`+uri+`"/>`))
	}
	beside := func(id, title, requirements, element string) trial {
		return refused("N18-"+id, title, requirements, replace(identityID, identityID+element))
	}
	const ours = identityPrefix + "{organisation}"
	return []trial{
		refused("N18-missing", "There is no audit identity.", "COR-DEH-03", func(d *draft) { d.audit = "" }),
		refused("N18-empty", "The audit identity names nobody.", "COR-DEH-03", without(identityID)),
		refused("N18-five", "The audit identity names five.", "WRD-VAL-03", replace(identityID, strings.Repeat(identityID, 5))),
		refused("N18-no-uri", "An identity has no URI.", "COR-DEH-03", replace(identityID, `<itk:id/>`)),
		identity("space", "The identity holds a space.", "COR-DEH-04.1", ours+":ward 7"),
		identity("not-ascii", "The identity holds a letter that no URI can hold.", "COR-DEH-04.1", ours+":zoë"),
		identity("address", "The identity is an address.", "COR-DEH-04.2", addressPrefix+"{organisation}"),
		identity("url", "The identity is a URL.", "COR-DEH-04.2", "https://ed.example.invalid/users/7"),
		identity("prefix-case", "The prefix of the identity is in other letters.", "COR-DEH-04.2", "urn:nhs-uk:IDENTITY:ods:{organisation}:ward7"),
		identity("authority-only", "The identity names an authority and no organisation.", "COR-DEH-04.4", "urn:nhs-uk:identity:ods"),
		identity("empty-token", "The identity ends with an empty token.", "COR-DEH-04.4", ours+":"),
		identity("empty-organisation", "The organisation in the identity is empty.", "COR-DEH-04.5", "urn:nhs-uk:identity:ods::ward7"),
		identity("other-authority", "The naming authority is not approved.", "COR-DEH-04.4", "urn:nhs-uk:identity:gmc:{organisation}:ward7"),
		identity("other-organisation", "The identity is of another organisation.", "COR-DEH-04.5 WRD-IAM-03", identityPrefix+"ZZ999:ward7"),
		identity("organisation-longer", "The organisation in the identity only begins as the registered one.", "COR-DEH-04.5 WRD-IAM-03", ours+"9:ward7"),
		identity("no-urn", "The identity is a bare user id without a type.", "COR-DEH-04.7", "555000000001"),
		typed("toolkit-other-type", "A toolkit identity has the type of a user id.", "COR-DEH-04.7", oidUserID, "{identity}"),
		typed("only-user-id", "The only identity is an SDS user id.", "COR-DEH-03", oidUserID, "555000000001"),
		typed("only-other-asid", "The only identity is the ASID of another system.", "COR-DEH-03 WRD-IAM-03", oidASID, "999999999999"),
		beside("second-other-organisation", "Of two identities the second is of another organisation.", "COR-DEH-04.5 WRD-IAM-03", `<itk:id uri="`+identityPrefix+`ZZ999:ward7"/>`),
		beside("second-type-no-oid", "The type of the second identity is no OID.", "COR-DEH-04.7", `<itk:id type="userid" uri="555000000001"/>`),
		beside("second-default-type", "A user id has the type of a toolkit identity.", "COR-DEH-04.7", `<itk:id type="`+oidIdentity+`" uri="555000000001"/>`),

		unacceptable("N36-no-user", "The audit identity of a client with users names no user.", "WRD-IAM-14", replace(`uri="{identity}"`, `uri="`+ours+`"`), needs("{user identity}")).of(attended),
		unacceptable("N36-smartcard-no-role-profile", "A user with a smartcard is named without a role profile.", "MSCA-AUD-04a", asPerson, without(roleProfile, auditProfile)).of(smartcard),
		unacceptable("N36-smartcard-identity-only", "The audit identity of a user with a smartcard names the user by a toolkit identity alone.", "MSCA-AUD-04a", asPerson,
			without(auditUser, auditProfile)).of(smartcard),
		unacceptable("N36-other-user-id", "The user id in the audit identity is not that of the author.", "MSCA-AUD-04a WRD-IAM-03", asPerson,
			replace(`type="`+oidUserID+`" uri="{user}"`, `type="`+oidUserID+`" uri="555999999999"`)),
		unacceptable("N36-other-role-profile", "The role profile in the audit identity is not that of the author.", "MSCA-AUD-04a WRD-IAM-03", asPerson,
			replace(`type="`+oidProfile+`" uri="{profile}"`, `type="`+oidProfile+`" uri="555999999999"`)),
	}
}

// needs makes a case depend on a slot that it does not use: the slot stands in a
// comment that is taken away again.
func needs(place string) change {
	return func(d *draft) {
		d.declaration += "<!--" + place + "-->"
		d.last = func(doc string) string {
			start, end := strings.Index(doc, "<!--"), strings.Index(doc, "-->")
			return doc[:start] + doc[end+len("-->"):]
		}
	}
}
