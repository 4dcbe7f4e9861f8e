//go:build e2e

package dynamo_test

import (
	"testing"

	"signpost/core"
	"signpost/core/storetest"
	"signpost/internal/dynamo"
)

func TestContract(t *testing.T) {
	table := newTable(t)
	storetest.Run(t, func(*testing.T) core.Store { return dynamo.New(config, table) }, storetest.Sequences(8, 25))
}
