package spinesim

// Local authorities of the cast. All are invented; the numbers are of the
// ranges that Ofcom keeps for drama.
func westmarch() LocalAuthority {
	return LocalAuthority{Code: "E09X1", Name: "Westmarch Borough Council", OfficeHours: "tel:02079460101", EmergencyDuty: "tel:02079460102"}
}

func northwold() LocalAuthority {
	return LocalAuthority{Code: "E10X2", Name: "Northwold County Council", OfficeHours: "tel:01632960201", EmergencyDuty: "tel:01632960202"}
}

func saltmere() LocalAuthority {
	return LocalAuthority{Code: "E06X3", Name: "Saltmere City Council", OfficeHours: "tel:01632960301", EmergencyDuty: "tel:01632960302"}
}

// Cast is the synthetic people that every simulator holds. None of them exists.
// docs/simulator.md lists them.
func Cast() []Child {
	return append(append(castPlans(), castAges()...), castShapes()...)
}

// castPlans are the everyday situations.
func castPlans() []Child {
	return []Child{
		{
			NHSNumber: "9990000018", Given: "Robin", Family: "Fennimore", Birth: "-2870d", EarlierAccesses: 2,
			Situation: "current child protection plan at one local authority, ended looked-after status at another",
			Records: []Record{
				{Authority: westmarch(), LocalID: "WBC-004417", Plans: []Plan{{ChildProtection, "-95d", ""}}},
				{Authority: northwold(), Plans: []Plan{{LookedAfter, "-900d", "-190d"}}},
			},
		},
		{
			NHSNumber: "9990000026", Given: "Jordan", Family: "Askwith", Birth: "-9690d",
			Situation: "expectant mother, unborn child protection plan",
			Records:   []Record{{Authority: westmarch(), Plans: []Plan{{UnbornChild, "-50d", "+89d"}}}},
		},
		{NHSNumber: "9990000034", Given: "Ellis", Family: "Norecord", Birth: "-3100d", Situation: "no record in CP-IS"},
		{
			NHSNumber: "9990000042", Given: "Casey", Family: "Thornbeck", Birth: "-1510d",
			Situation: "current child protection plan without an end date",
			Records:   one(northwold(), Plan{ChildProtection, "-210d", ""}),
		},
		{
			NHSNumber: "9990000050", Given: "Rowan", Family: "Pellow", Birth: "-1985d",
			Situation: "current child protection plan with an end date to come",
			Records:   one(northwold(), Plan{ChildProtection, "-120d", "+60d"}),
		},
		{
			NHSNumber: "9990000069", Given: "Avery", Family: "Linacre", Birth: "-4310d",
			Situation: "looked-after child without an end date",
			Records:   one(saltmere(), Plan{LookedAfter, "-700d", ""}),
		},
		{
			NHSNumber: "9990000077", Given: "Morgan", Family: "Stapleford", Birth: "-5020d",
			Situation: "looked-after child with an end date to come",
			Records:   one(saltmere(), Plan{LookedAfter, "-365d", "+14d"}),
		},
		{
			NHSNumber: "9990000085", Given: "Quinn", Family: "Marchbank", Birth: "-2600d",
			Situation: "child protection plan that begins in 14 days",
			Records:   one(westmarch(), Plan{ChildProtection, "+14d", ""}),
		},
	}
}

// castAges are plans around the edge of visibility.
func castAges() []Child {
	return []Child{
		{
			NHSNumber: "9990000093", Given: "Sasha", Family: "Tidewell", Birth: "-3322d",
			Situation: "child protection plan ended 10 days ago",
			Records:   one(westmarch(), Plan{ChildProtection, "-400d", "-10d"}),
		},
		{
			NHSNumber: "9990000107", Given: "Emery", Family: "Wickstead", Birth: "-3710d",
			Situation: "child protection plan ended 364 days ago: still shown",
			Records:   one(northwold(), Plan{ChildProtection, "-800d", "-364d"}),
		},
		{
			NHSNumber: "9990000115", Given: "Harley", Family: "Oakhanger", Birth: "-3711d",
			Situation: "child protection plan ended 365 days ago: the last day on which it is shown",
			Records:   one(northwold(), Plan{ChildProtection, "-800d", "-365d"}),
		},
		{
			NHSNumber: "9990000123", Given: "Frankie", Family: "Underhill", Birth: "-3712d",
			Situation: "child protection plan ended 366 days ago: no longer shown",
			Records:   one(northwold(), Plan{ChildProtection, "-800d", "-366d"}),
		},
		{
			NHSNumber: "9990000131", Given: "Alex", Family: "Brackenridge", Birth: "-10400d",
			Situation: "unborn child protection plan 28 days after the due date: the last day on which it is shown",
			Records:   one(saltmere(), Plan{UnbornChild, "-200d", "-28d"}),
		},
		{
			NHSNumber: "9990000158", Given: "Charlie", Family: "Vennacott", Birth: "-8777d",
			Situation: "unborn child protection plan 29 days after the due date: no longer shown",
			Records:   one(saltmere(), Plan{UnbornChild, "-200d", "-29d"}),
		},
		{
			NHSNumber: "9990000166", Given: "Jamie", Family: "Eastlake", Birth: "-4015d",
			Situation: "a plan that ended yesterday and a new one that began today",
			Records:   one(westmarch(), Plan{ChildProtection, "-600d", "-1d"}, Plan{ChildProtection, "0d", ""}),
		},
		{
			NHSNumber: "9990000174", Given: "Taylor", Family: "Greywether", Birth: "-4400d",
			Situation: "child protection plan that ends today",
			Records:   one(westmarch(), Plan{ChildProtection, "-300d", "0d"}),
		},
	}
}

// castShapes are records of unusual form and histories of every length.
func castShapes() []Child {
	long := LocalAuthority{
		Code:          "E07X4",
		Name:          "The Metropolitan and Rural District Councils of Upper Wychwood, Lower Wychwood, Wychwood-on-the-Water and Saint Oswald's Without, Joint Children's Services Partnership (Safeguarding & Review Unit)",
		OfficeHours:   "tel:01632960401",
		EmergencyDuty: "tel:+441632960402",
	}
	accented := LocalAuthority{Code: "W06X5", Name: "Cyngor Sir Llanfair-y-Môr <Dwyrain & Gorllewin>", OfficeHours: "tel:01632960501", EmergencyDuty: "tel:01632960502"}
	silent := LocalAuthority{Code: "E08X6", Name: "Fenwater Metropolitan Borough Council", EmergencyDuty: "tel:01632960602"}
	blank := LocalAuthority{Code: "E08X7", Name: "Harrowdale Borough Council", OfficeHours: "tel:", EmergencyDuty: "tel:"}
	current := []Plan{{ChildProtection, "-150d", ""}}
	history := func(number, given, family string, accesses int, situation string) Child {
		return Child{NHSNumber: number, Given: given, Family: family, Birth: "-3050d", EarlierAccesses: accesses, Situation: situation, Records: one(westmarch(), current...)}
	}
	return []Child{
		{
			NHSNumber: "9990000182", Given: "Reese", Family: "Hollinshead", Birth: "-3890d", EarlierAccesses: 1,
			Situation: "child protection plan and looked-after status in one record",
			Records:   one(westmarch(), Plan{ChildProtection, "-340d", ""}, Plan{LookedAfter, "-20d", ""}),
		},
		{
			NHSNumber: "9990000190", Given: "Skyler", Family: "Dunmore", Birth: "-5700d", EarlierAccesses: 3,
			Situation: "expectant mother who is herself a child: three plans and two subjects in one record",
			Records:   one(northwold(), Plan{ChildProtection, "-410d", ""}, Plan{LookedAfter, "-365d", ""}, Plan{UnbornChild, "-30d", "+120d"}),
		},
		{
			NHSNumber: "9990000204", Given: "Finley", Family: "Arkwright", Birth: "-2400d", EarlierAccesses: 4,
			Situation: "records at three local authorities: one current, two ended",
			Records: []Record{
				{Authority: saltmere(), LocalID: "S/88-1203", Plans: []Plan{{ChildProtection, "-45d", "+135d"}}},
				{Authority: westmarch(), LocalID: "WBC-001288", Plans: []Plan{{ChildProtection, "-700d", "-300d"}}},
				{Authority: northwold(), Plans: []Plan{{LookedAfter, "-299d", "-46d"}}},
			},
		},
		{
			NHSNumber: "9990000212", Given: "Drew", Family: "Kirkbride", Birth: "-1730d",
			Situation: "local authority without an office-hours number",
			Records:   one(silent, current...),
		},
		{
			NHSNumber: "9990000220", Given: "Blake", Family: "Sunderby", Birth: "-1731d",
			Situation: "local authority whose two telephone numbers are empty",
			Records:   one(blank, current...),
		},
		{
			NHSNumber: "9990000239", Given: "Peyton", Family: "Longstaff", Birth: "-1732d", EarlierAccesses: 2,
			Situation: "very long local authority name",
			Records:   one(long, current...),
		},
		{
			NHSNumber: "9990000247", Given: "Zoë Łucja", Family: "Ó Súilleabháin-D’Arcy", Birth: "-1733d", EarlierAccesses: 2,
			Situation: "names with accents, apostrophes and markup characters",
			Records:   one(accented, current...),
		},
		history("9990000255", "Arden", "Firstborn", 0, "nobody asked before"),
		history("9990000263", "Arden", "Singleton", 1, "asked about once before"),
		history("9990000271", "Arden", "Twentyfour", 24, "24 earlier accesses: the query makes 25"),
		history("9990000298", "Arden", "Twentyfive", 25, "25 earlier accesses: the query drops the oldest"),
		history("9990000301", "Arden", "Forty", 40, "40 earlier accesses, of which 25 are kept"),
		{
			NHSNumber: "9990000328", Given: "Kit", Family: "Harness", Birth: "-2222d", EarlierAccesses: 6, Behaviour: "found-harness-shape",
			Situation: "two records, answered in the shape of Spine's test harness",
			Records: []Record{
				{Authority: westmarch(), LocalID: "WBC-007001", Plans: []Plan{{ChildProtection, "-60d", ""}}},
				{Authority: northwold(), Plans: []Plan{{LookedAfter, "-500d", "-61d"}}},
			},
		},
		{NHSNumber: "9990000336", Given: "Noor", Family: "Newborn", Birth: "-2d", Situation: "newborn: an unborn child's plan is under the mother's number, so there is no record"},
	}
}

func one(authority LocalAuthority, plans ...Plan) []Record {
	return []Record{{Authority: authority, Plans: plans}}
}
