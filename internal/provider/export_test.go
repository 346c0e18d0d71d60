package provider

import (
	"context"

	"github.com/wardsmsp/ward/internal/gateway"
	"github.com/wardsmsp/ward/internal/spine"
)

// Kill ends a provider as the end of its process would: nothing is recorded.
func (p *Provider) Kill() {
	p.release()
	p.running.Wait()
}

// BreakListener makes serving fail.
func (p *Provider) BreakListener() { p.listener.Close() }

// Route is where the Spine is asked for a question.
func (p *Provider) Route(ctx context.Context) (spine.Route, error) { return p.routes().Route(ctx) }

// CheckAuthor checks the author of a question with the directory.
func (p *Provider) CheckAuthor(ctx context.Context, q gateway.Question) gateway.Finding {
	return p.checkAuthor(ctx, q)
}

// LookUp asks the directory for the route to the Spine, as a probe of the circuit or
// of health does.
func (p *Provider) LookUp(ctx context.Context) error {
	_, err := p.directory.Service(ctx)
	return err
}
