package provider

import "context"

// Kill ends a provider as the end of its process would: nothing is recorded.
func (p *Provider) Kill() {
	p.release()
	p.running.Wait()
}

// BreakListener makes serving fail.
func (p *Provider) BreakListener() { p.listener.Close() }

// LookUp asks the directory for the route to the Spine, as a probe of the circuit or
// of health does.
func (p *Provider) LookUp(ctx context.Context) error {
	_, err := p.directory.Service(ctx)
	return err
}
