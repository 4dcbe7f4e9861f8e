package nameserver

import (
	"context"
	"net"
	"strconv"
	"sync"

	"signpost/core"
	"signpost/internal/remoting"
)

// notifier sends NOTIFY_MIN_BROKER_ID_CHANGE to the brokers of a group: oneway
// and asynchronously, each broker for itself. Java sends it under its global
// lock and stops at the first failure.
//
// Fields: minBrokerId, minBrokerAddr, offlineBrokerAddr?, haBrokerAddr?.
type notifier struct {
	s     *Server
	queue chan notice
	wg    sync.WaitGroup
	once  sync.Once
	stop  chan struct{}
}

type notice struct {
	addr  string
	frame []byte
}

const (
	notifyWorkers = 4
	// notifyQueue bounds what waits; beyond it notices are dropped, and the
	// brokers find out by asking (code 901), as they do each second.
	notifyQueue = 1024
)

func newNotifier(s *Server) *notifier {
	return &notifier{s: s, queue: make(chan notice, notifyQueue), stop: make(chan struct{})}
}

func (n *notifier) start() {
	for range notifyWorkers {
		n.wg.Go(n.run)
	}
}

// MinBrokerChanged tells the brokers of a group, if the operator wants it
// (notifyMinBrokerIdChanged). It does not block.
func (s *Server) MinBrokerChanged(c core.MinBrokerChange) {
	if !s.o.Switches().NotifyMinBroker || s.draining.Load() {
		return
	}
	for _, addr := range c.Tell {
		select {
		case s.notifier.queue <- notice{addr, minBrokerFrame(c, s.addressesOf(c.Broker, addr))}:
		default:
			s.o.Observer.Refused("notification queue")
		}
	}
}

// addressesOf are the addresses that a broker sees on the connection that it
// registered through: it compares those of a notice with those it was answered.
func (s *Server) addressesOf(broker, addr string) Addresses {
	if s.o.Advertise != nil {
		if c := s.owners.find(broker, addr); c != nil {
			return c.addresses()
		}
	}
	return asIs{}
}

func minBrokerFrame(c core.MinBrokerChange, a Addresses) []byte {
	cmd := remoting.Command{Code: remoting.NotifyMinBrokerIDChange, Version: remoting.ServerVersion, Language: "JAVA", Flag: remoting.FlagOneway}
	cmd.ExtFields = remoting.Fields{{Key: "minBrokerAddr", Value: a.Addr(c.MinAddr)}, {Key: "minBrokerId", Value: strconv.FormatInt(c.MinID, 10)}}
	if c.OfflineAddr != "" {
		cmd.ExtFields = append(cmd.ExtFields, remoting.Field{Key: "offlineBrokerAddr", Value: a.Addr(c.OfflineAddr)})
	}
	if c.HAAddr != "" {
		cmd.ExtFields = append(cmd.ExtFields, remoting.Field{Key: "haBrokerAddr", Value: a.Addr(c.HAAddr)})
	}
	return remoting.AppendFrame(nil, &cmd)
}

func (n *notifier) run() {
	for {
		select {
		case <-n.stop:
			return
		case x := <-n.queue:
			if err := n.send(x); err != nil {
				n.s.o.Log.Warn("broker not told of the new lowest id", "addr", x.addr, "error", err)
			}
		}
	}
}

func (n *notifier) send(x notice) error {
	ctx, cancel := context.WithTimeout(n.s.base, n.s.o.Limits.NotifyTimeout)
	defer cancel()
	var d net.Dialer
	c, err := d.DialContext(ctx, "tcp", x.addr)
	if err != nil {
		return err
	}
	defer c.Close()
	deadline, _ := ctx.Deadline()
	if err := c.SetWriteDeadline(deadline); err != nil {
		return err
	}
	_, err = c.Write(x.frame)
	return err
}

func (n *notifier) close() {
	n.once.Do(func() { close(n.stop) })
	n.wg.Wait()
}
