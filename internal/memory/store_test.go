package memory_test

import (
	"path/filepath"
	"testing"

	"signpost/core"
	"signpost/core/storetest"
	"signpost/internal/memory"
)

func TestStore(t *testing.T) {
	storetest.Run(t, func(*testing.T) core.Store { return memory.New() })
}

func TestStoreOnDisk(t *testing.T) {
	storetest.Run(t, func(t *testing.T) core.Store {
		s := openStore(t, filepath.Join(t.TempDir(), "store"))
		t.Cleanup(func() { closeStore(t, s) })
		return s
	})
}
