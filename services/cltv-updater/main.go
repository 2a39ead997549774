// Command cltv-updater turns customer.events.v1 into what each customer is worth
// and how likely it leaves.
package main

import (
	"os"

	"github.com/perennial-cltv/perennial/pkg/ops"
	"github.com/perennial-cltv/perennial/services/cltv-updater/updater"
)

func main() {
	os.Exit(ops.Main(ops.Program[updater.Config]{
		Name: updater.Name, Summary: "keeps every customer's lifetime value and churn risk up to date",
		Defaults: updater.Defaults(), Run: updater.Run,
	}))
}
