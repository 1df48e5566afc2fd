package refusal

import (
	a "github.com/kuasheng/kuasheng/gen/kuasheng/audit/v1"
	"google.golang.org/grpc/codes"
)

// table gives each reason its gRPC code and its message in Chinese. A test holds it against the enum and against docs/errors.md.
var table = map[a.Reason]struct {
	code codes.Code
	zh   string
}{
	a.Reason_REASON_CLIENT_CERTIFICATE_MISSING:   {codes.Unauthenticated, "未出示客户端证书"},
	a.Reason_REASON_CLIENT_CERTIFICATE_EXPIRED:   {codes.Unauthenticated, "客户端证书不在有效期内"},
	a.Reason_REASON_CLIENT_CERTIFICATE_UNTRUSTED: {codes.Unauthenticated, "客户端证书不是由其信任域的根证书签发"},
	a.Reason_REASON_SPIFFE_ID_INVALID:            {codes.Unauthenticated, "证书中的 SPIFFE 标识不符合规范"},
	a.Reason_REASON_MEMBER_UNKNOWN:               {codes.Unauthenticated, "调用方所属信任域不是成员"},
	a.Reason_REASON_MEMBER_SUSPENDED:             {codes.PermissionDenied, "成员资格已被暂停"},
	a.Reason_REASON_ROLE_NOT_ALLOWED:             {codes.PermissionDenied, "该身份角色不得调用此方法"},
	a.Reason_REASON_NOT_ENTITLED:                 {codes.PermissionDenied, "无权操作该对象"},

	a.Reason_REASON_MESSAGE_MALFORMED:       {codes.InvalidArgument, "请求报文无法解析"},
	a.Reason_REASON_ARGUMENT_INVALID:        {codes.InvalidArgument, "请求字段不符合约束"},
	a.Reason_REASON_PARAMETER_UNKNOWN:       {codes.InvalidArgument, "该资源没有此查询参数"},
	a.Reason_REASON_PARAMETER_MISSING:       {codes.InvalidArgument, "缺少必填查询参数"},
	a.Reason_REASON_PARAMETER_INVALID:       {codes.InvalidArgument, "查询参数的类型、格式或长度不正确"},
	a.Reason_REASON_FIELD_UNKNOWN:           {codes.InvalidArgument, "该资源没有此信息项"},
	a.Reason_REASON_PAGE_TOKEN_INVALID:      {codes.InvalidArgument, "分页标记与本次请求不符"},
	a.Reason_REASON_IDENTITY_NUMBER_IN_TEXT: {codes.InvalidArgument, "文本字段中不得包含公民身份号码"},

	a.Reason_REASON_NOT_FOUND:      {codes.NotFound, "对象不存在或无权知悉"},
	a.Reason_REASON_ALREADY_EXISTS: {codes.AlreadyExists, "同名对象已存在"},
	a.Reason_REASON_ETAG_MISMATCH:  {codes.Aborted, "对象已被他人修改，请重新读取后再试"},
	a.Reason_REASON_RULE_VIOLATED:  {codes.FailedPrecondition, "违反目录或共享规则"},

	a.Reason_REASON_RESOURCE_WITHDRAWN:        {codes.FailedPrecondition, "资源已撤回"},
	a.Reason_REASON_RESOURCE_NOT_SHARED:       {codes.FailedPrecondition, "资源不予共享"},
	a.Reason_REASON_GRADE_NOT_ROUTABLE:        {codes.FailedPrecondition, "该数据级别不得经交换传输"},
	a.Reason_REASON_MODE_NOT_OFFERED:          {codes.FailedPrecondition, "资源不提供此共享方式"},
	a.Reason_REASON_NO_GRANT:                  {codes.PermissionDenied, "没有该资源的授权"},
	a.Reason_REASON_GRANT_EXPIRED:             {codes.PermissionDenied, "授权已过期"},
	a.Reason_REASON_GRANT_NOT_YET_VALID:       {codes.PermissionDenied, "授权尚未生效"},
	a.Reason_REASON_GRANT_REVOKED:             {codes.PermissionDenied, "授权已撤销"},
	a.Reason_REASON_FIELD_NOT_GRANTED:         {codes.PermissionDenied, "信息项超出授权范围"},
	a.Reason_REASON_PURPOSE_NOT_GRANTED:       {codes.PermissionDenied, "用途超出授权范围"},
	a.Reason_REASON_ITEM_NOT_GRANTED:          {codes.PermissionDenied, "政务服务事项超出授权范围"},
	a.Reason_REASON_LEGAL_BASIS_NOT_GRANTED:   {codes.PermissionDenied, "法律依据超出授权范围"},
	a.Reason_REASON_QUOTA_PER_SECOND_EXCEEDED: {codes.ResourceExhausted, "超过授权的每秒调用限额"},
	a.Reason_REASON_QUOTA_PER_DAY_EXCEEDED:    {codes.ResourceExhausted, "超过授权的每日调用限额"},

	a.Reason_REASON_NODE_NOT_ATTACHED:     {codes.Unavailable, "提供方节点未接入"},
	a.Reason_REASON_NODE_BUSY:             {codes.Unavailable, "提供方节点繁忙"},
	a.Reason_REASON_NODE_LOST:             {codes.Unavailable, "请求发出后提供方节点断开"},
	a.Reason_REASON_DEADLINE_EXCEEDED:     {codes.DeadlineExceeded, "超过调用时限"},
	a.Reason_REASON_LOG_UNAVAILABLE:       {codes.Unavailable, "访问日志不可写，不得提供数据"},
	a.Reason_REASON_OVERLOADED:            {codes.ResourceExhausted, "交换平台负荷已满，请稍后再试"},
	a.Reason_REASON_SHUTTING_DOWN:         {codes.Unavailable, "服务正在停止"},
	a.Reason_REASON_NODE_EVIDENCE_INVALID: {codes.Unavailable, "提供方节点的证据不成立，答复已丢弃"},
	a.Reason_REASON_CALLER_GONE:           {codes.Canceled, "调用方已离开"},
	a.Reason_REASON_INTERNAL:              {codes.Internal, "内部错误"},
	a.Reason_REASON_VERSION_MISMATCH:      {codes.FailedPrecondition, "链路协议版本不一致"},
	a.Reason_REASON_STATE_UNAVAILABLE:     {codes.Unavailable, "注册、目录和授权信息暂时不可修改"},

	a.Reason_REASON_POLICY_DENIED:            {codes.PermissionDenied, "提供省份的策略拒绝本次请求"},
	a.Reason_REASON_RESOURCE_NOT_SERVED:      {codes.FailedPrecondition, "提供方节点不提供该资源"},
	a.Reason_REASON_TICKET_MALFORMED:         {codes.Internal, "凭据格式错误"},
	a.Reason_REASON_TICKET_SIGNATURE_INVALID: {codes.Internal, "凭据签名无效"},
	a.Reason_REASON_TICKET_PROOF_INVALID:     {codes.Internal, "凭据证明不成立"},
	a.Reason_REASON_TICKET_DIGEST_MISMATCH:   {codes.Internal, "凭据与请求不符"},
	a.Reason_REASON_TICKET_AGED:              {codes.Unavailable, "凭据已过时效"},
	a.Reason_REASON_TICKET_REPLAYED:          {codes.Internal, "凭据已使用过"},
	a.Reason_REASON_TICKET_MISDIRECTED:       {codes.Internal, "凭据不是发给本节点的"},
	a.Reason_REASON_TICKET_NOT_PERMITTED:     {codes.Internal, "凭据所载记录不是许可"},

	a.Reason_REASON_SOURCE_UNAVAILABLE: {codes.Unavailable, "提供方数据源不可用"},
	a.Reason_REASON_SOURCE_TIMEOUT:     {codes.DeadlineExceeded, "提供方数据源超时"},
	a.Reason_REASON_SOURCE_BUSY:        {codes.ResourceExhausted, "该资源并发查询已满"},
	a.Reason_REASON_TOO_MANY_ROWS:      {codes.ResourceExhausted, "结果行数超过上限"},
	a.Reason_REASON_ANSWER_TOO_LARGE:   {codes.ResourceExhausted, "答复过大，请改用批量导出"},
	a.Reason_REASON_MAPPING_BROKEN:     {codes.Internal, "提供方数据与目录映射不符"},
}
