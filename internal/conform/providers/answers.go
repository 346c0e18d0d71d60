package providers

// answers is one question for each response code that a child can be configured for.
func answers() []trial {
	told := func(code, title, requirements string, asks int) trial {
		w := answer(code)
		w.child, w.asks = code, asks
		return one("C-"+code, title, requirements, w)
	}
	return []trial{
		told("SMSP-0000", "A child with a record is asked about.", "WRD-RC-02 WRD-MSG-09 WRD-MSG-24", 1),
		told("CPIS-0001", "A child without a record is asked about.", "WRD-RC-03 WRD-MSG-08 WRD-MSG-24", 1),
		told("SMSP-0002", "A child is asked about for whom the Spine's answer cannot be trusted.", "WRD-RC-05 WRD-MSG-08", 1),
		told("CPIS-9999", "A child is asked about for whom the Spine reports an error or gives no answer.", "WRD-RC-07 WRD-RC-09 WRD-MSG-08", 1),
		told("SMSP-0005", "A child is asked about for whom the Spine refuses the author.", "WRD-RC-08 WRD-MSG-08", 1),
		told("SMSP-9999", "A child is asked about for whom the provider itself fails.", "WRD-RC-10 WRD-MSG-08", 1),
		told("SMSP-0004", "A child is asked about while the Spine cannot be reached.", "WRD-RC-06 WRD-MSG-08", 0),
	}
}
