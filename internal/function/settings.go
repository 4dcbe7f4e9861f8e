package function

import (
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strconv"
	"strings"
	"time"

	"signpost/core"
)

// Settings are a function's environment. template.yaml sets it.
type Settings struct {
	Table    string        // TABLE_NAME
	Bus      string        // EVENT_BUS_NAME: name or ARN
	Stack    string        // STACK_NAME: the dimension of the metrics
	LogLevel slog.Level    // LOG_LEVEL: DEBUG, INFO, WARN or ERROR
	Guard    time.Duration // GUARD_SECONDS: core.Options.Guard
	Clusters Clusters      // CLUSTERS
	BasePath string        // BASE_PATH: see httpapi.Options
	// Rules are ORDER_MESSAGE_ENABLE, SUPPORT_ACTING_MASTER and
	// DELETE_TOPIC_WITH_BROKER_REGISTRATION, each true or false (Java: NamesrvConfig).
	Rules core.Rules
	// Local is set by `sam local` (AWS_SAM_LOCAL), which authorizes nobody: a
	// caller without an identity may do everything then.
	Local bool
}

// maxGuard bounds GUARD_SECONDS, as in template.yaml.
const maxGuard = time.Hour

// ReadSettings reads the environment. An error names every variable that is
// wrong. The bus is only needed by what publishes.
func ReadSettings(getenv func(string) string, needsBus bool) (Settings, error) {
	s := Settings{
		Table: getenv("TABLE_NAME"), Bus: getenv("EVENT_BUS_NAME"), Stack: getenv("STACK_NAME"),
		BasePath: getenv("BASE_PATH"), Local: getenv("AWS_SAM_LOCAL") == "true",
	}
	var errs []error
	fault := func(name string, err error) {
		if err != nil {
			errs = append(errs, fmt.Errorf("%s: %w", name, err))
		}
	}
	if s.Table == "" {
		fault("TABLE_NAME", errors.New("is missing"))
	}
	if s.Bus == "" && needsBus {
		fault("EVENT_BUS_NAME", errors.New("is missing"))
	}
	if s.Stack == "" {
		s.Stack = "signpost"
	}
	if v := getenv("LOG_LEVEL"); v != "" {
		fault("LOG_LEVEL", s.LogLevel.UnmarshalText([]byte(v)))
	}
	if v := getenv("GUARD_SECONDS"); v != "" {
		n, err := strconv.ParseUint(v, 10, 32)
		s.Guard = time.Duration(n) * time.Second
		if err != nil || s.Guard > maxGuard {
			fault("GUARD_SECONDS", fmt.Errorf("%q is not a number of seconds up to %d", v, int(maxGuard.Seconds())))
		}
	}
	for name, rule := range map[string]*bool{
		"ORDER_MESSAGE_ENABLE": &s.Rules.OrderMessages, "SUPPORT_ACTING_MASTER": &s.Rules.ActingMaster,
		"DELETE_TOPIC_WITH_BROKER_REGISTRATION": &s.Rules.DeleteTopicsOnRegistration,
	} {
		switch v := getenv(name); v {
		case "", "false":
		case "true":
			*rule = true
		default:
			fault(name, fmt.Errorf("%q is neither true nor false", v))
		}
	}
	if s.BasePath != "" && !strings.HasPrefix(s.BasePath, "/") {
		fault("BASE_PATH", fmt.Errorf("%q does not begin with a slash", s.BasePath))
	}
	var err error
	s.Clusters, err = ParseClusters(getenv("CLUSTERS"))
	fault("CLUSTERS", err)
	return s, errors.Join(errs...)
}

// AllClusters stands in a list for every cluster there is.
const AllClusters = "*"

// Clusters says which clusters each caller may write. nil lets everybody write
// everything.
type Clusters map[string][]string

// ParseClusters reads a JSON object from callers to lists of clusters: from
// ARNs of IAM users and roles, or from the subjects of JWTs. "" is nil. Callers
// that are sessions of a role stand there as that role.
func ParseClusters(text string) (Clusters, error) {
	if strings.TrimSpace(text) == "" {
		return nil, nil
	}
	var read map[string][]string
	if err := json.Unmarshal([]byte(text), &read); err != nil {
		return nil, fmt.Errorf("is not a JSON object from callers to lists of cluster names: %w", err)
	}
	c := Clusters{}
	for caller, clusters := range read {
		if caller == "" || slices.Contains(clusters, "") {
			return nil, errors.New("a caller or a cluster without a name")
		}
		if strings.Contains(caller, ":assumed-role/") { // who lists one session does not mean all of its role
			return nil, fmt.Errorf("%q is a session: list its role, arn:aws:iam::ACCOUNT:role/NAME", caller)
		}
		name := identity(caller)
		c[name] = append(c[name], clusters...)
	}
	return c, nil
}
