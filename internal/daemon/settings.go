package daemon

import (
	"errors"
	"fmt"

	"signpost/core"
	"signpost/internal/config"
	"signpost/internal/nameserver"
	"signpost/internal/tlsport"
)

// Rules are the rules of the route model that are configured.
func Rules(cfg *config.Config) core.Rules {
	return core.Rules{
		OrderMessages:              cfg.Rules.OrderMessageEnable,
		ActingMaster:               cfg.Rules.SupportActingMaster,
		DeleteTopicsOnRegistration: cfg.Rules.DeleteTopicWithBrokerRegistration,
	}
}

func limits(cfg *config.Config) nameserver.Limits {
	l := cfg.Limits
	return nameserver.Limits{
		Frame: l.FrameBytes, Registration: l.RegistrationBytes, Inflated: l.InflatedBytes, Topics: l.TopicsPerRegistration,
		Connections: l.Connections, InFlight: l.InFlight,
		Idle: cfg.Listen.IdleTimeout, Read: l.ReadTimeout, Write: l.WriteTimeout,
		Handler: HandlerTime, NotifyTimeout: notifyTime, BrokerTimeout: cfg.Rules.BrokerTimeout,
	}
}

func tlsOptions(cfg *config.Config) tlsport.Options {
	mode, _ := tlsport.ParseMode(cfg.TLS.Mode)
	auth, _ := tlsport.ParseClientAuth(cfg.TLS.ClientAuth)
	return tlsport.Options{
		Mode: mode, TestMode: cfg.TLS.TestMode,
		CertPath: cfg.TLS.CertPath, KeyPath: cfg.TLS.KeyPath, KeyPassword: string(cfg.TLS.KeyPassword),
		ClientAuth: auth, AuthClient: cfg.TLS.AuthClient, TrustCertPath: cfg.TLS.TrustPath,
		IdleTimeout: cfg.Listen.IdleTimeout,
	}
}

// switches are what a configuration says of them.
type switches struct {
	nameserver.Switches
	of *config.Config
}

// Switches are the operator's choices as they stand. They are made anew only
// when the configuration changes: each request looks at them.
func (d *Daemon) Switches() *nameserver.Switches {
	cfg := d.Live.Current()
	if known := d.switches.Load(); known != nil && known.of == cfg {
		return &known.Switches
	}
	r := &cfg.Rules
	s := &switches{of: cfg, Switches: nameserver.Switches{
		TopicList: r.EnableTopicList, AllTopicList: r.EnableAllTopicList, OrderToBroker: r.ReturnOrderTopicConfigToBroker,
		NotifyMinBroker: r.NotifyMinBrokerIDChanged, GoAway: cfg.Shutdown.Graceful,
	}}
	if r.NeedWaitForService {
		s.ServiceFrom = d.Started.Add(r.WaitForService)
	}
	d.switches.Store(s)
	return &s.Switches
}

// liveConfig serves request codes 318 and 319.
type liveConfig struct{ d *Daemon }

func (l liveConfig) List() string { return l.d.Live.Current().List() }

func (l liveConfig) Update(body []byte) error {
	change, err := l.d.Live.Update(body)
	if errors.Is(err, config.ErrForbidden) {
		return notPermitted{err}
	}
	if err != nil {
		return err
	}
	log := l.d.Log
	for _, c := range change.Changed {
		log.Info("configured", "key", c.Key, "value", c.New, "before", c.Old, "now", c.Live)
	}
	if len(change.Ignored) > 0 {
		log.Warn("values ignored", "error", change.Ignored)
	}
	if len(change.Unknown) > 0 {
		log.Warn("unknown keys ignored", "keys", fmt.Sprint(change.Unknown))
	}
	if l.d.backend.Configured != nil {
		l.d.backend.Configured(l.d.Live.Current())
	}
	return nil
}

// notPermitted keeps the text that the peer is to see.
type notPermitted struct{ error }

func (notPermitted) Is(target error) bool { return target == nameserver.ErrNotPermitted }
