package config

import (
	"os"
	"os/user"
	"regexp"
	"slices"
	"strings"
)

// Names in the environment beside those of the keys.
const (
	envConfigFile   = envPrefix + "CONFIG_FILE" // the same as -c
	envRocketmqHome = "ROCKETMQ_HOME"
)

// serviceLink matches the names of what Kubernetes puts into every container
// for a service called signpost; beside them there is SIGNPOST_PORT, a URL.
var serviceLink = regexp.MustCompile(`_SERVICE_(HOST|PORT(_.*)?)$|_PORT_[0-9]+_(TCP|UDP|SCTP)(_.*)?$`)

// environment is what the process's environment says.
type environment struct {
	configFile string
	home       layer    // ROCKETMQ_HOME; Java's default, so below the file
	keys       layer    // SIGNPOST_*
	unknown    []string // SIGNPOST_* that names no key, sorted
}

// readEnviron reads environ ("NAME=value", as [os.Environ] gives it). A
// variable that is set to nothing is as good as not set.
func readEnviron(environ []string) environment {
	names := make(map[string]string, len(table))
	for _, k := range table {
		names[k.Env()] = k.Name
	}
	e := environment{
		home: layer{
			values: map[string]string{},
			source: func(string) Source { return "environment " + envRocketmqHome },
		},
		keys: layer{
			values: map[string]string{},
			source: func(key string) Source { return Source("environment " + byName[key].Env()) },
		},
	}
	for _, entry := range environ {
		name, text, ok := strings.Cut(entry, "=")
		if !ok || text == "" {
			continue
		}
		switch key, known := names[name]; {
		case known:
			e.keys.values[key] = text
		case name == envConfigFile:
			e.configFile = text
		case name == envRocketmqHome:
			e.home.values["rocketmqHome"] = text
		case strings.HasPrefix(name, envPrefix) && !serviceLink.MatchString(name) && !strings.Contains(text, "://"):
			e.unknown = append(e.unknown, name)
		}
	}
	slices.Sort(e.unknown)
	return e
}

// HomeDir is the home directory as Java's user.home gives it: the one of the
// user database, whatever $HOME says, so that the KV file of the Java
// NameServer that ran here is found; $HOME where the user is not in it.
func HomeDir() string {
	if u, err := user.Current(); err == nil && u.HomeDir != "" && u.HomeDir != "/" {
		return u.HomeDir
	}
	if home := os.Getenv("HOME"); home != "" {
		return home
	}
	return "/"
}
