package exchange

import (
	linkv1 "github.com/kuasheng/kuasheng/gen/kuasheng/link/v1"
)

// linkService lets nodes attach.
type linkService struct {
	linkv1.UnimplementedLinkServiceServer
	*Server
}

// Attach serves one replica of a node. Its right to be here is asked for again and again: a member that was suspended or whose authority was
// removed, and an SVID that has expired, end the stream.
func (s *linkService) Attach(stream linkv1.LinkService_AttachServer) error {
	ctx := stream.Context()
	return s.hub.Attach(stream, callerFrom(ctx).Region(), func() error {
		_, err := s.authenticate(ctx, linkv1.LinkService_Attach_FullMethodName)
		return err
	})
}

// SendAnswer takes the bytes of a large answer or export.
func (s *linkService) SendAnswer(stream linkv1.LinkService_SendAnswerServer) error {
	return s.hub.SendAnswer(stream, callerFrom(stream.Context()).Region())
}
