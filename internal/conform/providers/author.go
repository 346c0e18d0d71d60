package providers

import "strings"

// personRefused is a person as author, each part missing in turn (N34), and one who
// is not acceptable (N36).
func personRefused() []trial {
	broken := func(id, title string, changes ...change) trial {
		return invalid("N34-person-"+id, title, "WRD-VAL-13 MSCA-AUD-04a", append([]change{asPerson}, changes...)...)
	}
	return []trial{
		broken("no-content-id", "The author has no contentId.", without(personContentID)),
		broken("content-id-root", "The root of the contentId is another one.", replace(`contentId root="`+oidContentID+`"`, `contentId root="2.16.840.1.113883.2.1.3.2.4.18.2"`)),
		broken("content-id-other", "The contentId names the template of a system.", replace(personContentID, systemContentID)),
		broken("content-id-unknown", "The contentId names no template.", replace(`COCT_TP145102GB01#AssignedAuthor`, `COCT_TP145102GB02#AssignedAuthor`)),
		broken("content-id-namespace", "The contentId is of the HL7 namespace.", replace(`npfitlc:contentId`, `contentId`)),
		broken("two-content-ids", "The author has two contentIds.", replace(personContentID, personContentID+personContentID)),
		broken("no-role", "The author has no job role.", without(roleCode)),
		broken("two-roles", "The author has two job roles.", replace(roleCode, roleCode+roleCode)),
		broken("role-no-code", "The job role has no code.", without(` code="{role code}"`)),
		broken("role-no-system", "The job role has no code system.", without(` codeSystem="{role system}"`)),
		broken("role-no-name", "The job role has no name.", without(` displayName="{role name}"`)),
		broken("role-code-space", "The code of the job role holds a space.", replace(` code="{role code}"`, ` code="R 0580"`)),
		broken("role-system-no-oid", "The code system of the job role is no OID.", replace(`codeSystem="{role system}"`, `codeSystem="roles"`)),
		broken("role-content", "The job role has its name as content.", replace(roleCode, strings.TrimSuffix(roleCode, "/>")+`>{role name}</code>`)),
		broken("no-ids", "The author has no id.", without(userID, roleProfile)),
		broken("no-user-id", "The author has a role profile and no user id.", without(userID)),
		broken("three-ids", "The author has three ids.", replace(roleProfile, roleProfile+`<id root="1.2.826.0.1285.0.2.0.108" extension="1"/>`)),
		broken("user-id-no-root", "The user id has no root.", replace(userID, `<id extension="{user}"/>`)),
		broken("user-id-no-extension", "The user id has no extension.", replace(userID, `<id root="`+oidUserID+`"/>`)),
		broken("user-id-other-root", "The user id is of another numbering system.", replace(userID, `<id root="1.2.826.0.1285.0.2.0.99" extension="{user}"/>`)),
		broken("user-id-reference", "The user id is written with a character reference.", replace(userID, `<id root="`+oidUserID+`" extension="{user by reference}"/>`)),
		broken("no-person", "The author has no person.", without(authorPerson)),
		broken("no-name", "The person has no name.", replace(authorPerson, `<assignedAuthorPerson/>`)),
		broken("empty-name", "The name of the person is empty.", replace(`{name}`, ``)),
		broken("empty-parts", "Every part of the person's name is empty.", replace(`{name}`, `<given/><family> </family>`)),
		broken("two-names", "The person has two names.", replace(`</name></assignedAuthorPerson>`, `</name><name>{name}</name></assignedAuthorPerson>`)),
		broken("name-part", "The name has a part that names do not have.", replace(`{name}`, `{name}<nickname>x</nickname>`)),
		broken("name-use", "The name has a use that names do not have.", replace(`use="L"`, `use="NICK"`)),
		broken("name-comment", "A comment stands in the family name.", replace(`{name}`, `<family>Thorn<!-- -->beck</family>`)),
		broken("name-text-comment", "A comment stands in a name of plain text.", replace(`{name}`, `Casey Thorn<!-- -->beck`)),
		broken("name-cdata", "The family name is a CDATA section.", replace(`{name}`, `<family><![CDATA[Thornbeck]]></family>`)),
		broken("no-organisation", "The author has no organisation.", without(represented)),
		broken("organisation-no-id", "The organisation has no id.", replace(organisation, `<name>{organisation name}</name>`)),
		broken("organisation-two-ids", "The organisation has two ids.", replace(organisation, organisationID+organisation)),
		broken("organisation-no-name", "The organisation has no name.", replace(organisation, organisationID)),
		broken("organisation-empty-name", "The name of the organisation is empty.", replace(organisation, organisationID+`<name> </name>`)),
		broken("organisation-root", "The id of the organisation is neither an organisation nor a site code.", replace(`19.1"`, `19.3"`)),
		broken("organisation-no-code", "The id of the organisation has no code.", replace(organisationID, strings.Replace(organisationID, ` extension="{organisation}"`, ``, 1))),
		broken("order", "The organisation comes before the person.", replace(authorPerson+represented, represented+authorPerson)),
		broken("two-authors", "The query has two authors.", func(d *draft) { d.author += d.author }),
		broken("two-templates", "The author is a person and a system.", replace(`</author>`, `<COCT_TP145104GB01.System/></author>`)),
		unacceptable("N36-person-organisation", "The organisation of the author is not the client's.", "WRD-IAM-17", asPerson, replace(`extension="{organisation}"`, `extension="ZZ999"`)),
	}
}

const organisationID = `<id root="2.16.840.1.113883.2.1.3.2.4.19.1" extension="{organisation}"/>`

// systemRefused is a system as author, in the same way.
func systemRefused() []trial {
	broken := func(id, title string, changes ...change) trial {
		return invalid("N34-system-"+id, title, "WRD-VAL-13 WRD-IAM-19", append([]change{asSystem}, changes...)...)
	}
	return []trial{
		invalid("N34-author-missing", "The query has no author.", "WRD-VAL-13", asSystem, func(d *draft) { d.author = "" }),
		invalid("N34-author-empty", "The author is empty.", "WRD-VAL-13", asSystem, func(d *draft) { d.author = `<author/>` }),
		invalid("N34-author-neither", "The author is neither a person nor a system.", "WRD-VAL-13", asSystem, replace(`COCT_TP145104GB01.System`, `COCT_TP145105GB01.Workgroup`)),
		broken("no-content-id", "The author has no contentId.", without(systemContentID)),
		broken("content-id-other", "The contentId names the template of a person.", replace(systemContentID, personContentID)),
		broken("content-id-last", "The contentId comes after the system.", replace(systemContentID, ``, `</author>`, systemContentID+`</author>`)),
		broken("no-asid", "The system has no id.", without(systemID)),
		broken("two-asids", "The system has two ids.", replace(systemID, systemID+systemID)),
		broken("asid-root", "The id of the system is not of the kind of an ASID.", replace(systemID, `<id root="`+oidUserID+`" extension="{asid}"/>`)),
		broken("asid-no-extension", "The id of the system has no extension.", replace(systemID, `<id root="`+oidASID+`"/>`)),
		broken("asid-short", "The ASID has eleven digits.", replace(systemID, `<id root="`+oidASID+`" extension="20000000029"/>`)),
		broken("asid-letters", "The ASID has a letter.", replace(systemID, `<id root="`+oidASID+`" extension="20000000029A"/>`)),
		broken("asid-reference", "The ASID is written with a character reference.", replace(systemID, `<id root="`+oidASID+`" extension="{asid by reference}"/>`)),
		broken("authority-empty", "The responsible person is empty.", replace(authority, `<indirectAuthority/>`)),
		broken("authority-no-role", "The responsible person has no job role.", without(roleCode)),
		broken("authority-role-no-code", "The job role of the responsible person has no code.", without(` code="{role code}"`)),
		broken("authority-role-no-name", "The job role of the responsible person has no name.", without(` displayName="{role name}"`)),
		broken("authority-no-person", "The responsible person is nobody.", without(`<assignedPerson><name>{name}</name></assignedPerson>`)),
		broken("authority-no-name", "The responsible person has no name.", without(`<name>{name}</name>`)),
		broken("authority-empty-name", "The name of the responsible person is empty.", replace(`{name}`, ``)),
		broken("authority-last", "The responsible person comes after the organisation.", replace(authority+maintaining, maintaining+authority)),
		broken("no-organisation", "The system has no organisation.", without(maintaining)),
		broken("organisation-no-id", "The organisation has no id.", replace(organisation, `<name>{organisation name}</name>`)),
		broken("organisation-no-name", "The organisation has no name.", replace(organisation, organisationID)),
		broken("organisation-root", "The id of the organisation is neither an organisation nor a site code.", replace(`19.1"`, `19.3"`)),
		one("N36-system-nobody", "The system names no responsible person.", "WRD-IAM-19", answer("SMSP-0001", "SMSP-0005"), asSystem, without(authority)),
		unacceptable("N36-system-organisation", "The organisation of the system is not the client's.", "WRD-IAM-17", asSystem, replace(`extension="{organisation}"`, `extension="ZZ999"`)),
		unacceptable("N36-system-asid", "The ASID is not the client's.", "WRD-IAM-17", asSystem, replace(systemID, `<id root="`+oidASID+`" extension="999999999999"/>`)),
	}
}

// authorsAccepted is every form that an author may have.
func authorsAccepted() []trial {
	person := func(id, title, requirements string, changes ...change) trial {
		return accepted("A1-"+id, title, requirements, append([]change{asPerson}, changes...)...)
	}
	system := func(id, title, requirements string, changes ...change) trial {
		return accepted("A2-"+id, title, requirements, append([]change{asSystem}, changes...)...)
	}
	named := func(id, title, name string) trial {
		return accepted("A3-"+id, title, "WRD-MSG-05 WRD-MSG-23", replace(`{name}`, name))
	}
	const site = `19.2"`
	return []trial{
		person("person", "A smartcard user asks, with a user id and a role profile.", "MSCA-AUD-04a"),
		person("no-role-profile", "A user asks with a user id and no role profile.", "WRD-MSG-05", without(roleProfile, auditProfile)).of(attended),
		person("ids-reversed", "The role profile comes before the user id.", "MSCA-AUD-04a", replace(userID+roleProfile, roleProfile+userID)),
		person("site", "The organisation of a person is given by a site code.", "WRD-MSG-05", replace(`19.1"`, site)),
		person("role-id", "A role id stands among the audit identities.", "MSCA-AUD-04a",
			replace(`uri="{profile}"/>`, `uri="{profile}"/><itk:id type="1.2.826.0.1285.0.2.0.108" uri="555200000001"/>`)),
		person("identity-only", "The audit identity of a user names the user by a toolkit identity alone.", "WRD-IAM-13", func(d *draft) {
			d.audit = `<itk:auditIdentity><itk:id uri="{user identity}"/></itk:auditIdentity>`
		}).of(attended),
		person("code-system-name", "The job role has the name and the version of its code system.", "WRD-MSG-05", replace(roleCode, strings.TrimSuffix(roleCode, "/>")+` codeSystemName="Job roles" codeSystemVersion="1"/>`)),
		system("system", "A system asks, with a responsible person.", "WRD-IAM-19"),
		system("two-authorities", "A system asks, with two responsible people.", "WRD-IAM-19", replace(authority, authority+strings.Replace(authority, "{name}", "<given>Robin</given><family>Second</family>", 1))),
		system("site", "The organisation of a system is given by a site code.", "WRD-MSG-05", replace(`19.1"`, site)),
		system("no-role-system", "The job role of the responsible person has no code system.", "WRD-MSG-05", without(` codeSystem="{role system}"`)),
		system("asid-identity", "The client's own ASID is the audit identity beside a user.", "WRD-IAM-03", replace(identityID, identityID+`<itk:id type="`+oidASID+`" uri="{asid}"/>`)),
		accepted("A2-organisation-case", "The code of the organisation is in lower case.", "WRD-IAM-17", finally(lowerOrganisation)),
		accepted("A2-long-organisation", "The name of the organisation is 400 letters long, since it may hold a place.", "WRD-MSG-23", replace(`<name>{organisation name}<`, `<name>{organisation name}`+strings.Repeat(", Upper Wychwood", 25)+`<`)),
		named("text", "The name is plain text.", `Casey Thornbeck`),
		named("text-and-parts", "The name is text and parts.", `<prefix>Dr</prefix>Casey Thornbeck<suffix>OBE</suffix>`),
		named("family-only", "The name is a family name alone.", `<family>Thornbeck</family>`),
		named("two-given", "The name has two given names.", `<given>Casey</given><given>Robin</given><family>Thornbeck</family>`),
		named("family-first", "The family name comes first.", `<family>Thornbeck</family><given>Casey</given>`),
		named("empty-suffix", "A part of the name is empty, as a form that is not filled in sends it.", `<given>Casey</given><family>Thornbeck</family><suffix/>`),
		named("accents", "The name has letters with accents.", `<given>Zoë Łucja</given><family>Ó Súilleabháin-D’Arcy</family>`),
		named("markup", "The name has characters that XML writes as references.", `<given>Casey</given><family>Thorn &amp; Beck &lt;Jr&gt;</family>`),
		named("other-scripts", "The name has letters of other scripts.", `<given>Δήμητρα</given><family>王 小明</family>`),
		accepted("A3-preferred", "The name has the use of a preferred name.", "WRD-MSG-05", asPerson, replace(`use="L"`, `use="PREFERRED"`)),
		accepted("A3-no-use", "The name of the author has no use.", "WRD-MSG-05", asPerson, without(` use="L"`)),
	}
}

// lowerOrganisation writes the code in the author's organisation in lower case.
func lowerOrganisation(doc string) string {
	at := strings.LastIndex(doc, `19.1" extension="`)
	if at < 0 {
		return doc
	}
	start := at + len(`19.1" extension="`)
	end := start + strings.IndexByte(doc[start:], '"')
	return doc[:start] + strings.ToLower(doc[start:end]) + doc[end:]
}
