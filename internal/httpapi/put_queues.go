package httpapi

import (
	"context"
	"encoding/json"

	"signpost/core"
	"signpost/internal/wire"
)

// registerQueues answers PUT /v1/register/queues: one topic's queues, as
// request code 217 sends them.
func (s *Server) registerQueues(ctx context.Context, req *request) (answer, error) {
	topic, err := req.params.need("topic")
	if err != nil {
		return answer{}, err
	}
	body, err := s.readBody(req)
	if err != nil {
		return answer{}, err
	}
	rows, err := readQueues(topic, body, s.o.Limits.Batch)
	if err != nil {
		return answer{}, err
	}
	for _, row := range rows {
		if err := s.mayBroker(ctx, req.caller, s.o.Now(), row.Broker); err != nil {
			return answer{}, err
		}
	}
	raised, err := s.o.Write.RegisterQueues(ctx, s.o.Now(), topic, rows)
	return answer{revision: raised}, err
}

func readQueues(topic string, body []byte, most int) ([]core.Row, error) {
	var there []byte
	if err := readObject(body, "", members{"queueDatas": raw(&there)}); err != nil {
		return nil, err
	}
	if there == nil {
		return nil, present("", "queueDatas", "")
	}
	switch {
	case there[0] != '[':
		return nil, &core.FieldError{Field: "queueDatas", Reason: "is not a list"}
	case !json.Valid(body):
		return nil, &core.FieldError{Field: "body", Reason: "is not JSON"}
	}
	rows, err := wire.DecodeQueueDatas(topic, body)
	if err != nil {
		return nil, err
	}
	if len(rows) > most {
		return nil, &wire.LimitError{What: "queueDatas", Max: most}
	}
	for _, row := range rows {
		if err := present("", "brokerName", row.Broker); err != nil {
			return nil, err
		}
		if err := checkName("brokerName", row.Broker); err != nil {
			return nil, err
		}
	}
	return rows, nil
}
