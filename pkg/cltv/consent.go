package cltv

// Consent and profile take the greatest of what was ever said, whether a later revision took it back or not, so they need
// no identity: a denial stands until a grant with evidence that is later.

// takeConsent takes in a permission given or withdrawn. A grant without evidence changes nothing.
func (s *State) takeConsent(ev *Event) Outcome {
	if ev.Flag && ev.Text == "" {
		return Unchanged
	}
	from, to := 0, numConsents-1
	if ev.Code != 0 {
		from, to = int(ev.Code)-1, int(ev.Code)-1
	}
	outcome := Duplicate
	for about := from; about <= to; about++ {
		if ev.Flag && s.grant(about, ev.OccurredAt) || !ev.Flag && s.deny(about, ev.OccurredAt) {
			outcome = Applied
		}
	}
	return outcome
}

// deny notes a denial; false where a later one is known.
func (s *State) deny(about int, at int64) bool { return raise(&s.consent[about].denied, at+1) }

// grant notes a permission; false where a later one is known.
func (s *State) grant(about int, at int64) bool { return raise(&s.consent[about].granted, at+1) }

func raise(value *int64, to int64) bool {
	if *value >= to {
		return false
	}
	*value = to
	return true
}

// takeProfile takes in what a profile says, field by field: the latest by occurred_at, then by revision, then by text.
func (s *State) takeProfile(ev *Event) Outcome {
	outcome := Duplicate
	for i, value := range [numProfileFields]string{ev.Segment, ev.Region, ev.AgeBand} {
		if value == "" {
			continue
		}
		f := &s.profile[i]
		known := s.text(f.value)
		if known != "" && (f.at > ev.OccurredAt || f.at == ev.OccurredAt &&
			(f.rev > ev.Revision || f.rev == ev.Revision && known >= value)) {
			continue
		}
		*f = profileField{at: ev.OccurredAt, rev: ev.Revision, value: s.ref(value)}
		outcome = Applied
	}
	return outcome
}
