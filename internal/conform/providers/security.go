package providers

const (
	createdElement = `<wsu:Created>{created}</wsu:Created>`
	expiresElement = `<wsu:Expires>{expires}</wsu:Expires>`
)

// securityRefused is the Security header but for its times, and blank attributes
// (N9, N11 to N14).
func securityRefused() []trial {
	username := func(value string) change { return replace(`<wsse:Username>{username}<`, `<wsse:Username>`+value+`<`) }
	noUsername := func(id, title string, changes ...change) trial {
		// The official test takes either code where there is no user name.
		return one(id, title, "WRD-VAL-12", want{statuses: []int{500}, faults: []string{"Client", "Server"}, errors: []string{"3000", "1000"}}, changes...)
	}
	return []trial{
		refused("N9-security-missing", "There is no Security header.", "WRD-VAL-10", func(d *draft) { d.security = "" }),
		refused("N9-security-twice", "There are two Security headers.", "WRD-VAL-10", func(d *draft) { d.security += d.security }),
		refused("N9-timestamp-missing", "There is no Timestamp.", "WRD-VAL-10", without(timestampBlock)),
		refused("N9-timestamp-twice", "There are two Timestamps.", "WRD-VAL-10", replace(`</wsu:Timestamp>`, `</wsu:Timestamp><wsu:Timestamp>`+createdElement+expiresElement+`</wsu:Timestamp>`)),
		refused("N9-timestamp-outside", "The Timestamp stands beside the Security header.", "WRD-VAL-10", without(timestampBlock), more(timestampBlock)),
		refused("N9-other-namespace", "The Timestamp is of another namespace.", "WRD-VAL-10 WRD-MSG-16", replace(nsUtility, "urn:example:utility")),

		refused("N11-header", "An attribute of a header block is empty.", "WRD-VAL-04", more(`<x:Local xmlns:x="urn:example:local" a="">1</x:Local>`)),
		refused("N11-security", "An attribute of the Security header is empty.", "WRD-VAL-04", replace(`<wsse:Security>`, `<wsse:Security note="">`)),
		refused("N11-envelope", "The type of an address is empty.", "WRD-VAL-04", replace(`<itk:address uri`, `<itk:address type="" uri`)),
		refused("N11-payload", "An attribute of the payload is nothing but a space.", "WRD-VAL-04", replace(`<cP-ISNHSQuery>`, `<cP-ISNHSQuery classCode=" ">`)),
		refused("N11-number", "The NHS number is empty.", "WRD-VAL-04", replace(`extension="{number}"`, `extension=""`)),
		refused("N11-root", "An attribute of the SOAP envelope is empty.", "WRD-VAL-04", replace(`<soap:Envelope`, `<soap:Envelope soap:encodingStyle=""`)),
		refused("N11-profile", "The profile id is empty.", "WRD-VAL-04 WRD-VAL-09", replace(requestProfile, "")),
		refused("N11-tracking-id", "The tracking id is empty.", "WRD-VAL-04 WRD-VAL-07", replace(`trackingid="{tracking}"`, `trackingid=""`)),

		noUsername("N12-username-missing", "The token has no user name.", without(`<wsse:Username>{username}</wsse:Username>`)),
		noUsername("N12-token-missing", "There is no UsernameToken.", without(tokenBlock)),
		noUsername("N12-empty", "The user name is nothing but a space.", username(" ")),
		noUsername("N12-two-usernames", "The token has two user names.", replace(`</wsse:Username>`, `</wsse:Username><wsse:Username>{username}</wsse:Username>`)),
		noUsername("N12-two-tokens", "There are two UsernameTokens.", replace(`</wsse:UsernameToken>`, `</wsse:UsernameToken><wsse:UsernameToken><wsse:Username>{username}</wsse:Username></wsse:UsernameToken>`)),
		noUsername("N12-comment", "A comment stands in the user name.", username("{username}<!-- -->x")),
		noUsername("N12-cdata", "The user name is a CDATA section.", username("<![CDATA[{username}]]>")),
		noUsername("N12-other-namespace", "The user name is of another namespace.", replace(`<wsse:Username>{username}</wsse:Username>`, `<Username>{username}</Username>`)),
		denied("N13-unknown", "The user name is known to nobody.", "WRD-VAL-12", username("nobody-of-that-name")),
		denied("N13-longer", "The user name goes on after the registered one.", "WRD-VAL-12", username("{username}2")),
		denied("N13-password", "The user name is known to nobody, but has a password.", "WRD-VAL-12",
			replace(`<wsse:Username>{username}</wsse:Username>`, `<wsse:Username>nobody-of-that-name</wsse:Username><wsse:Password>secret</wsse:Password>`)),
		denied("N14-not-permitted", "The user name is known, but not permitted for the holder of this certificate.", "WRD-VAL-12 WRD-IAM-03", username("{other_username}")),
	}
}

// timesRefused is Created and Expires (N8, N10).
func timesRefused() []trial {
	malformed := func(id, title, value string) trial {
		return refused("N8-"+id, title, "WRD-VAL-10", replace(createdElement, `<wsu:Created>`+value+`</wsu:Created>`))
	}
	const date = "{at -5m 2006-01-02}"
	return []trial{
		malformed("created-british", "Created is written as a British date.", "{at -5m 02/01/2006 15:04:05}"),
		malformed("created-date", "Created has no time of day.", date),
		malformed("created-no-seconds", "Created has no seconds.", "{at -5m 2006-01-02T15:04}Z"),
		malformed("created-space", "Created has a space between date and time.", "{at -5m 2006-01-02 15:04:05}Z"),
		malformed("created-comma", "Created has a fraction after a comma.", "{at -5m 2006-01-02T15:04:05},5Z"),
		malformed("created-one-digit", "Created has an hour of one digit.", "{at -24h 2006-01-02}T9:26:53Z"),
		malformed("created-no-such-day", "Created is the 30th of February.", "2025-02-30T09:26:53Z"),
		malformed("created-hour-25", "Created has an hour 25.", date+"T25:00:00Z"),
		malformed("created-two-years", "Created has a year of two digits.", "{at -5m 06-01-02T15:04:05}Z"),
		malformed("created-zone-name", "Created has the name of a zone.", "{at -5m 2006-01-02T15:04:05} UTC"),
		malformed("created-epoch", "Created is a number of seconds.", "1767225600"),
		malformed("created-hl7", "Created is written as HL7 writes times.", "{at -5m 20060102150405}+0000"),
		malformed("created-empty", "Created is empty.", ""),
		malformed("created-comment", "A comment stands in Created.", "{at -5m 2006-01-02T15:04}<!-- -->:00Z"),
		refused("N8-created-missing", "Created is missing.", "WRD-VAL-10", without(createdElement)),
		refused("N8-created-twice", "There are two Created.", "WRD-VAL-10", replace(createdElement, createdElement+createdElement)),
		refused("N8-expires-malformed", "Expires is a word.", "WRD-VAL-10", replace(expiresElement, `<wsu:Expires>never</wsu:Expires>`)),
		refused("N8-expires-missing", "Expires is missing.", "WRD-VAL-10", without(expiresElement)),
		refused("N8-expires-empty", "Expires is empty.", "WRD-VAL-10", replace(expiresElement, `<wsu:Expires/>`)),
		refused("N8-expires-twice", "There are two Expires.", "WRD-VAL-10", replace(expiresElement, expiresElement+expiresElement)),

		refused("N10-expired", "The message expired five minutes ago.", "WRD-VAL-10", times("{at -15m}", "{at -5m}")),
		refused("N10-expired-yesterday", "The message expired yesterday.", "WRD-VAL-10", times("{at -25h}", "{at -24h}")),
		refused("N10-created-in-future", "The message was created in the future.", "WRD-VAL-10", times("{at 5m}", "{at 15m}")),
		refused("N10-backwards", "The message was created after it expires.", "WRD-VAL-10", times("{at -2s}", "{at -3s}")),
		refused("N10-no-time", "The message expires when it was created.", "WRD-VAL-10", times("{at -2s}", "{at -2s}")),
		refused("N10-expired-by-zone", "The message has expired once its zone is taken into account.", "WRD-VAL-10", times("{at -15m}", "{at 10m 2006-01-02T15:04:05}+01:00")),
		refused("N10-created-by-zone", "The message was created in the future once its zone is taken into account.", "WRD-VAL-10", times("{at -5m 2006-01-02T15:04:05}-01:00", "{at 10h}")),
	}
}

// times sets Created and Expires.
func times(created, expires string) change {
	return replace(createdElement, `<wsu:Created>`+created+`</wsu:Created>`, expiresElement, `<wsu:Expires>`+expires+`</wsu:Expires>`)
}

// timesAccepted is every form of time and every usual lifetime (L11, L12).
func timesAccepted() []trial {
	const stamp = "2006-01-02T15:04:05"
	return []trial{
		accepted("L11-fraction", "The times have fractions of a second.", "WRD-VAL-10", times("{at -5m "+stamp+".000}Z", "{at 5m "+stamp+".000000000}Z")),
		accepted("L11-one-digit-fraction", "The times have a fraction of one digit.", "WRD-VAL-10", times("{at -5m "+stamp+"}.5Z", "{at 5m "+stamp+"}.5Z")),
		accepted("L11-zone-colon", "The times have a zone with a colon.", "WRD-VAL-10", times("{at 55m "+stamp+"}+01:00", "{at 5m "+stamp+"}+00:00")),
		accepted("L11-zone-plain", "The times have a zone without a colon.", "WRD-VAL-10", times("{at -65m "+stamp+"}-0100", "{at 5m "+stamp+"}+0000")),
		accepted("L11-zone-half-hour", "The times have a zone of half an hour.", "WRD-VAL-10", times("{at 325m "+stamp+"}+05:30", "{at 335m "+stamp+"}+05:30")),
		accepted("L11-no-zone", "The times have no zone, which means UTC.", "WRD-VAL-10", times("{at -5m "+stamp+"}", "{at 5m "+stamp+"}")),
		accepted("L11-two-forms", "Created and Expires have different forms.", "WRD-VAL-10", times("{at -5m "+stamp+"}", "{at 65m "+stamp+"}+01:00")),
		accepted("L12-five-minutes", "The message lives for five minutes.", "WRD-VAL-10", times("{at -1s}", "{at 299s}")),
		accepted("L12-ten-minutes", "The message lives for ten minutes.", "WRD-VAL-10", times("{at -1s}", "{at 599s}")),
		accepted("L12-an-hour", "The message lives for an hour.", "WRD-VAL-10", times("{at -1s}", "{at 3599s}")),
		accepted("L12-nearly-over", "The message was created half an hour ago and expires in a minute.", "WRD-VAL-10", times("{at -30m}", "{at 1m}")),
		accepted("L13-time-space", "White space stands around the times.", "WRD-VAL-10", times(" {created}\n", "\t{expires} ")),
	}
}
