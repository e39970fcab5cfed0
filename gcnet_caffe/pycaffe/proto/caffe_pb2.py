"""Caffe's messages under the names that protobuf's compiler gives them in real pycaffe."""

from google.protobuf.internal.enum_type_wrapper import EnumTypeWrapper

from gcnet_caffe.formats import caffe_pb

DESCRIPTOR = caffe_pb.NetParameter.DESCRIPTOR.file
Phase = EnumTypeWrapper(DESCRIPTOR.enum_types_by_name["Phase"])
globals().update(vars(caffe_pb))
#: The descriptors, such as _V1LAYERPARAMETER_LAYERTYPE, which converters ask for names of types.
globals().update(
    (one.full_name.replace("caffe.", "_", 1).replace(".", "_").upper(), one)
    for message in DESCRIPTOR.message_types_by_name.values()
    for one in (message, *message.enum_types)
)
