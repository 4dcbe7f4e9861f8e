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
// is none yet: a machine that lost its power may have left the file empty, or
// with zeros.
func keptGateway(path, made string) (string, error) {
	kept, err := os.ReadFile(path)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return "", err
	}
	id := string(bytes.Trim(kept, " \t\r\n\x00"))
	if id == "" {
		return made, keepGateway(path, made)
	}
	return id, api.CheckIdentifier(path, id)
}

// keepGateway writes the id so that it is there as a whole or not at all.
func keepGateway(path, id string) error {
	next := path + ".new"
	f, err := os.OpenFile(next, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o644)
	if err != nil {
		return err
	}
	_, err = f.WriteString(id + "\n")
	if err := errors.Join(err, f.Sync(), f.Close()); err != nil {
		return err
	}
	return os.Rename(next, path)
}
