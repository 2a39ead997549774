// Command billing-consumer takes in orders, payments, refunds, subscriptions, tickets, answers and spend.
package main

import (
	"os"

	"github.com/perennial-cltv/perennial/pkg/ops"
	"github.com/perennial-cltv/perennial/services/billing-consumer/consumer"
)

func main() {
	os.Exit(ops.Main(ops.Program[consumer.Config]{
		Name: consumer.Name, Summary: "takes in orders, payments, refunds, subscriptions, tickets, answers and spend", Defaults: consumer.Defaults(), Run: consumer.Run,
	}))
}
