package spinesim

// Held is how many replies wait to be overtaken.
func (s *Simulator) Held() int {
	s.dispatch.mu.Lock()
	defer s.dispatch.mu.Unlock()
	return len(s.dispatch.held)
}
