package httpapi

import (
	"context"
	"errors"
	"time"

	"signpost/core"
)

// unregister answers POST /v1/register/unregister: a broker leaves or, with a
// session, only that session's lease of it ends.
func (s *Server) unregister(ctx context.Context, req *request) (answer, error) {
	body, err := s.readBody(req)
	if err != nil {
		return answer{}, err
	}
	d, err := readDeparture(body)
	if err != nil {
		return answer{}, err
	}
	if err := req.caller.may(d.Cluster); err != nil {
		return answer{}, err
	}
	var now time.Time
	now, d.Age = s.said(req, d.Age)
	d.Owner, d.Front = req.caller.ID, front
	raised, err := s.o.Write.Unregister(ctx, now, d)
	return answer{revision: raised}, err
}

func readDeparture(body []byte) (d core.Departure, err error) {
	err = readObject(body, "", members{
		"clusterName": name(&d.Cluster),
		"brokerName":  name(&d.Broker),
		"brokerId":    integer(&d.ID, -1<<63),
		"brokerAddr":  name(&d.Addr),
		"session":     token(&d.Session),
		"age":         millis(&d.Age),
	})
	if err != nil {
		return d, err
	}
	d.LeaseOnly = d.Session != ""
	return d, errors.Join(present("", "clusterName", d.Cluster), present("", "brokerName", d.Broker), present("", "brokerAddr", d.Addr))
}
