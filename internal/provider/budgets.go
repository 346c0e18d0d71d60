package provider

import (
	"context"

	"github.com/wardsmsp/ward/internal/budget"
	"github.com/wardsmsp/ward/internal/clients"
)

// openBudgets opens the budgets of ASIDs, which the instances that share an audit log
// share too.
func (p *Provider) openBudgets(ctx context.Context) (*budget.Set, error) {
	var limits []budget.Limit
	for _, b := range p.settings.Budgets {
		limits = append(limits, budget.Limit{ASID: b.ASID, PerSecond: b.PerSecond, Burst: *b.Burst})
	}
	if len(limits) == 0 || p.settings.Store.Postgres == "" {
		return budget.Alone(limits), nil
	}
	return budget.Shared(ctx, p.settings.Store.Postgres, limits, p.logger)
}

// spend takes a question from the budgets of the ASIDs that it is asked under: the
// client's, and then ours.
func (p *Provider) spend(client *clients.Client) bool {
	spent := p.budgets.Spend(client.ASID, p.settings.Spine.FromASID)
	if spent == "" {
		return true
	}
	p.metrics.BudgetSpent(spent)
	return false
}
