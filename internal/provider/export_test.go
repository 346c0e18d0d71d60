package provider

// Kill ends a provider as the end of its process would: nothing is recorded.
func (p *Provider) Kill() {
	p.release()
	p.running.Wait()
}

// BreakListener makes serving fail.
func (p *Provider) BreakListener() { p.listener.Close() }
