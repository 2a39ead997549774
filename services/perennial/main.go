// Command perennial is Perennial's command line.
package main

import (
	"context"
	_ "time/tzdata" // tenants' time zones, on machines that have none

	"github.com/perennial-cltv/perennial/services/perennial/cli"
)

func main() { cli.Exit(context.Background()) }
