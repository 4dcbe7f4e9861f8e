package main

import (
	"bytes"
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"

	"signpost/internal/config"
	"signpost/internal/upstream/api"
)

// gatewaySuffix is what the file of the id that was made has more in its name
// than the state file.
const gatewaySuffix = ".gateway"

// gatewayID is the id that this shim goes by: the configured one, or one that is
// made and kept beside the state file. Without that file each start is a shim of
// its own.
func gatewayID(u config.Upstream) (string, error) {
	if u.Gateway != "" {
		return u.Gateway, api.CheckIdentifier("gateway", u.Gateway)
	}
	made := "shim-" + strings.ToLower(rand.Text()[:13])
	if u.StateFile == "" {
		return made, nil
	}
	id, err := keptGateway(u.StateFile+gatewaySuffix, made)
	if err != nil {
		return "", fmt.Errorf("gateway: %w", err)
	}
	return id, nil
}

// keptGateway is the id in the file, which gets the one that was made if there
// is none yet.
func keptGateway(path, made string) (string, error) {
	kept, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return made, keepGateway(path, made)
	}
	if err != nil {
		return "", err
	}
	id := string(bytes.TrimSpace(kept))
	if id == "" {
		return "", fmt.Errorf("%s is empty: remove it, and another id is made", path)
	}
	return id, api.CheckIdentifier(path, id)
}

// keepGateway writes the id so that it is there as a whole or not at all.
func keepGateway(path, id string) error {
	next := path + ".new"
	if err := os.WriteFile(next, []byte(id+"\n"), 0o644); err != nil {
		return err
	}
	return os.Rename(next, path)
}
