package config

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"slices"
	"strings"

	"github.com/magiconair/properties"
)

// Load reads the configuration of a program. args are the arguments without
// the program's name, environ is as [os.Environ] gives it, home is the user's
// home directory ([HomeDir]).
//
// The error is [ErrHelp], [ErrVersion], a [*UsageError], or [Faults] with everything that is
// wrong, a missing file included; [ExitCode] knows what to exit with. Of a key
// that is set in several places only the value in effect is checked.
func Load(program Program, args, environ []string, home string) (*Config, error) {
	cl, err := readArgs(program, args)
	if err != nil {
		return nil, err
	}
	env := readEnviron(environ)
	ld := &loader{
		home: home,
		cfg: &Config{
			Program:   program,
			File:      cl.configFile,
			PrintOnly: cl.print,
			values:    make(map[string]value, len(table)),
			ignored:   env.unknown,
		},
	}
	if err := ld.defaults(); err != nil {
		return nil, err
	}
	fileSource := Source("flag --configFile")
	if ld.cfg.File == "" && env.configFile != "" {
		ld.cfg.File, fileSource = env.configFile, "environment "+envConfigFile
	}
	file := ld.file(fileSource)
	// What was said of the TLS file itself decides whether it is read.
	tls := ld.tlsFile([]layer{file, env.keys, cl.keys})

	ld.apply([]layer{env.home, file, tls, env.keys, cl.keys})
	if len(ld.faults) > 0 {
		return nil, ld.faults
	}
	return ld.cfg, nil
}

// loader collects values, and what is wrong with them.
type loader struct {
	home   string
	cfg    *Config
	faults Faults
}

// keep notes the value of a key; of a secret only that it is there.
func (ld *loader) keep(k *Key, v value) {
	v.text = shown(k.Secret, v.text)
	ld.cfg.values[k.Name] = v
}

func (ld *loader) fault(k *Key, text string, source Source, err error) {
	ld.faults = append(ld.faults, Fault{Key: k.Name, Value: shown(k.Secret, text), Source: source, Err: err})
}

// defaults sets every key to its default. An error is a mistake in the table.
func (ld *loader) defaults() error {
	for _, k := range table {
		text, err := k.set(ld.cfg, k.defaultText(ld.home))
		if err != nil {
			return fmt.Errorf("default of %s: %w", k.Name, err)
		}
		ld.keep(&k, value{text: text, def: text, source: SourceDefault})
	}
	return nil
}

// file reads the file of -c, if there is one.
func (ld *loader) file(source Source) layer {
	path := ld.cfg.File
	if path == "" {
		return layer{}
	}
	values, err := readPropertiesFile(path)
	if err != nil {
		ld.faults = append(ld.faults, Fault{Key: "configFile", Value: path, Source: source, Err: err})
		return layer{}
	}
	ld.cfg.extra = map[string]string{}
	for key, text := range values {
		if byName[key] == nil {
			ld.cfg.extra[key] = shown(looksSecret(key), text)
		}
	}
	return fileLayer(path, values)
}

// tlsFile reads the file named by tls.config.file as Java's TlsHelper does:
// when the mode is not disabled, and without the mode itself. At its default
// place it may be missing; a name that somebody gave must be right.
func (ld *loader) tlsFile(named []layer) layer {
	ld.applyKey(byName["tls.server.mode"], named, false)
	ld.applyKey(byName["tls.config.file"], named, false)
	path := ld.cfg.TLS.ConfigFile
	if ld.cfg.TLS.Mode == TLSDisabled || path == "" {
		return layer{}
	}
	source := ld.cfg.values["tls.config.file"].source
	values, err := readPropertiesFile(path)
	if err != nil {
		if source != SourceDefault || !errors.Is(err, fs.ErrNotExist) {
			ld.fault(byName["tls.config.file"], path, source, err)
		}
		return layer{}
	}
	for _, name := range slices.Sorted(maps.Keys(values)) {
		k := byName[name]
		if k == nil || !strings.HasPrefix(name, "tls.") || name == "tls.server.mode" || name == "tls.config.file" {
			ld.cfg.tlsExtra = append(ld.cfg.tlsExtra, name)
			delete(values, name)
		}
	}
	return fileLayer(path, values)
}

// apply sets every key from the last layer that has it.
func (ld *loader) apply(layers []layer) {
	for i := range table {
		ld.applyKey(&table[i], layers, true)
	}
	if ld.cfg.File != "" {
		// As in Java, the file that was read is the file that is written.
		v := ld.cfg.values["configStorePath"]
		v.text = ld.cfg.File
		ld.cfg.values["configStorePath"] = v
	}
	ld.check()
}

// applyKey sets one key from the last layer that has it; report says whether
// an invalid value is counted now or will be met again.
func (ld *loader) applyKey(k *Key, layers []layer, report bool) {
	for _, l := range slices.Backward(layers) {
		given, ok := l.lookup(k)
		if !ok {
			continue
		}
		source := l.source(k.Name)
		text, err := k.set(ld.cfg, given)
		switch {
		case err == nil:
			ld.keep(k, value{text: text, def: ld.cfg.values[k.Name].def, source: source})
		case report:
			ld.fault(k, given, source, err)
		}
		return
	}
}

// readPropertiesFile reads a file as Java does, in ISO-8859-1. The error is a
// phrase to follow the file's name.
func readPropertiesFile(path string) (map[string]string, error) {
	text, err := readBounded(path)
	if err != nil {
		return nil, err
	}
	return parseProperties(text, properties.ISO_8859_1)
}

// readBounded reads a whole file that is not longer than a properties text may
// be. The error is a phrase to follow the file's name.
func readBounded(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("cannot be read: %w", pathCause(err))
	}
	defer f.Close() //nolint:errcheck // only read from
	var b bytes.Buffer
	if _, err := b.ReadFrom(io.LimitReader(f, maxPropertiesBytes+1)); err != nil {
		return nil, fmt.Errorf("cannot be read: %w", pathCause(err))
	}
	if b.Len() > maxPropertiesBytes {
		return nil, errTooLong
	}
	return b.Bytes(), nil
}

// pathCause leaves out the operation and path that the caller names anyway.
func pathCause(err error) error {
	var pe *fs.PathError
	if errors.As(err, &pe) {
		return pe.Err
	}
	return err
}
