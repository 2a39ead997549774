// Command call-ingester takes in call outcomes from dialers.
package main

import (
	"os"

	"github.com/perennial-cltv/perennial/pkg/ops"
	"github.com/perennial-cltv/perennial/services/call-ingester/ingester"
)

func main() {
	os.Exit(ops.Main(ops.Program[ingester.Config]{
		Name: ingester.Name, Summary: "takes in call outcomes from dialers", Defaults: ingester.Defaults(), Run: ingester.Run,
	}))
}
