"""Layers of other Caffes, and fields of theirs that are refused, and whose they are.

From the caffe.proto and the registered layers of each repository. A name that several have stands
with the first of them, except where it means different things (`BN`). The fields that are read are
in forks.proto; of the layers, those that the engine has are in engine/layers/forks.
"""

from __future__ import annotations

import difflib
import functools
import re
from collections.abc import Iterable, Sequence

#: The layers of BVLC's Caffe 1.0.
BVLC_LAYERS = frozenset(
    """
    AbsVal Accuracy ArgMax BNLL BatchNorm BatchReindex Bias Clip Concat ContrastiveLoss Convolution
    Crop Data Deconvolution Dropout DummyData ELU Eltwise Embed EuclideanLoss Exp Filter Flatten
    HDF5Data HDF5Output HingeLoss Im2col ImageData InfogainLoss InnerProduct Input LRN LSTM LSTMUnit
    Log MVN MemoryData MultinomialLogisticLoss PReLU Parameter Pooling Power Python RNN ReLU
    Reduction Reshape SPP Scale Sigmoid SigmoidCrossEntropyLoss Silence Slice Softmax
    SoftmaxWithLoss Split Swish TanH Threshold Tile WindowData
    """.split()
)

#: Whose Caffe (repository); below it its layers, its fields of each message, its enum values.
_TABLE = """
Faster R-CNN's Caffe (rbgirshick/caffe-fast-rcnn)
  layers ROIPooling SmoothL1Loss
SSD's Caffe (weiliu89/caffe)
  layers AnnotatedData DetectionEvaluate DetectionOutput MultiBoxLoss Normalize Permute PriorBox
    VideoData
  NetParameter item
  SolverParameter eval_type ap_version show_per_class_result plateau_winsize
  LayerParameter annotated_data_param detection_evaluate_param detection_output_param
    multibox_loss_param video_data_param
  TransformationParameter crop_h crop_w resize_param noise_param distort_param expand_param
    emit_constraint
R-FCN's Caffe (daijifeng001/caffe-rfcn)
  layers BoxAnnotatorOHEM PSROIPooling
Microsoft's Caffe (microsoft/caffe)
  layers SmoothL1LossOHEM SoftmaxWithLossOHEM
  LayerParameter mil_data_param mil_param
SegNet's Caffe (alexgkendall/caffe-segnet)
  layers BN DenseImageData Upsample
DeepLab's Caffe (xmyqsh/deeplab-v2)
  layers AdaptiveBiasChannel BiasChannel DenseCRF DomainTransform DomainTransformForwardOnly
    ImageSegData Interp MatRead MatWrite SegAccuracy SpatialProduct UniqueLabel
  LayerParameter adaptive_bias_channel_param bias_channel_param dense_crf_param
    domain_transform_param mat_read_param mat_write_param unique_label_param
  TransformationParameter scale_factors crop_width crop_height
  BatchNormParameter update_global_stats
  ImageDataParameter ignore_label label_type
PSPNet's Caffe (hszhao/PSPNet)
  layers BN
CRF-RNN's Caffe (torrvision/caffe)
  layers MultiStageMeanfield
  LayerParameter multi_stage_meanfield_param
FlowNet 2's Caffe (lmb-freiburg/flownet2)
  layers Accum BlackAugmentation ChannelNorm Correlation Correlation1D CustomData DataAugmentation
    DisparityData Downsample FLOWriter FloatReader FloatWriter FlowAugmentation FlowWarp
    GenerateAugmentationParameters ImgReader ImgWriter L1Loss LpqLoss Mean NegReLU PFMWriter
    Resample
  FillerParameter diag_val
  LayerParameter coeff_schedule_param augmentation_param correlation_param l1_loss_param
    writer_param reader_param mean_param resample_param downsample_param lpq_loss_param
    flow_warp_param accum_param black_augmentation_param reshape_every_iter
  DataParameter disk_reader_threads huge_video_dataset limit_samples preselection_file
    preselection_label range_start range_end rand_permute rand_permute_order rand_permute_seed
    slice_point encoding verbose subtract permute_every_iter block_size
Center Loss's Caffe (ydwen/caffe-face)
  layers CenterLoss
L-Softmax's Caffe (wy1iu/LargeMargin_Softmax_Loss)
  layers BN LargeMarginInnerProduct
  LayerParameter largemargin_inner_product_param
SphereFace's Caffe (wy1iu/sphereface)
  layers MarginInnerProduct
LightCNN's Caffe (AlfredXiangWu/caffe)
  layers BinaryLabel CMDLoss DenseFaceImageData L2Normalization MultiView OrthogonalConstraint
    PairData RelevanceConstraint Sparsify SymmetricRectify TripletLoss TripletSelection
  LayerParameter pair_data_param binary_label_param slice_label_param triplet_loss_param
    multi_view_param dense_face_image_data_param relevance_constraint_param center_distance_param
    cmd_loss_param orthogonal_constraint_param sparsify_param symmetric_rectify_param
    triplet_selection_param
  TransformationParameter crop_size_h crop_size_w
LTNet's Caffe (dualplus/LTNet)
  layers InnerProductAsProb MultilabelImageData
  LayerParameter multilabel_image_data_param
MobileNet's Caffe (farmingyard/caffe-mobilenet)
  layers ConvolutionDepthwise
MobileNet's Caffe (yonghenglh6/DepthwiseConvolution)
  layers DepthwiseConvolution
ShuffleNet's Caffe (farmingyard/ShuffleNet)
  layers ShuffleChannel
SENet's Caffe (hujie-frank/SENet)
  layers Axpy
OpenPose's Caffe (CMU-Perceptual-Computing-Lab/caffe_rtpose)
  layers EuclideanmaskLoss ImResize Maximum Nms
  LayerParameter imresize_param nms_param
  TransformationParameter stride scale_cvg max_cvg_len min_cvg_len opaque_coverage coverage
    flip_prob max_rotate_degree visualize crop_size_x crop_size_y scale_prob scale_min scale_max
    bbox_norm_factor img_header target_dist center_perterb_max sigma sigma_center clahe_tile_size
    clahe_clip_limit do_clahe num_parts num_total_augs aug_way gray np_in_lmdb transform_body_joint
OpenPose's Caffe (CMU-Perceptual-Computing-Lab/caffe_train)
  layers CPMData
  LayerParameter cpm_transform_param
warp-CTC's Caffe (xmfbit/warpctc-caffe)
  layers ContinuationIndicator CtcLoss LabelsequenceAccuracy
  LayerParameter ctc_loss_param continuation_indicator_param labelsequence_accuracy_param
Deformable ConvNets' Caffe (unsky/Deformable-ConvNets-caffe)
  layers Conadd DeformableConvolution
  LayerParameter conadd_param deformable_convolution_param
  values CONADD DEFORMABLECONVOLUTION
TSN's Caffe (yjxiong/caffe)
  layers BN BatchReduction Gather Scatter SegData SyncBN
  NetParameter mem_param
  SolverParameter group_id richness
  LayerParameter seg_data_param batch_reduction_param
  TransformationParameter fix_crop more_fix_crop multi_scale scale_ratios max_distort is_flow
    original_image upper_size upper_height upper_width
  ConvolutionParameter dilation_h dilation_w
  DataParameter shuffle
  ReductionParameter k
  values STOCHASTIC_SUM TOPK
MobileNet-YOLO's Caffe (eric612/MobileNet-YOLO)
  layers AssistedExcitation GaussianYolov3 LaneData ReLU6 RegionLoss Reorg SegmentationEvaluate
    YoloDetectionOutput YoloSeg Yolov3 Yolov3DetectionOutput
  SolverParameter stagelr stageiter
  LayerParameter region_loss_param yolov3_param yolo_seg_param segmentation_evaluate_param
    yolo_detection_output_param yolov3_detection_output_param reorg_param
  TransformationParameter enable_classf_aug min_scaling_factor max_scaling_factor max_rotation_angle
    contrast_brightness_adjustment smooth_filtering min_contrast max_contrast max_brightness_shift
    max_smooth max_color_shift min_side_min min_side_max min_side apply_probability debug_params
    cvt_bgr2rgb
  values RELU6
NVIDIA's Caffe (NVIDIA/caffe)
  layers DetectNetTransformation TRT
  NetParameter default_forward_type default_backward_type default_forward_math default_backward_math
    global_grad_scale global_grad_scale_adaptive
  SolverParameter rampup_interval rampup_lr min_lr momentum_policy max_momentum momentum_power larc
    larc_policy larc_eta larc_turbo weight_decay_policy weight_decay_power max_weight_decay
    solver_data_type store_blobs_in_old_format test_and_snapshot_last_epochs
  LayerParameter trt_param detectnet_groundtruth_param detectnet_augmentation_param
  TransformationParameter img_rand_resize_lower img_rand_resize_upper rand_resize_ratio_lower
    rand_resize_ratio_upper vertical_stretch_lower vertical_stretch_upper horizontal_stretch_lower
    horizontal_stretch_upper interpolation_algo_down interpolation_algo_up allow_upscale
    forward_packing use_gpu_transform random_seed display num_labels
  LossParameter label_smoothing
  DataParameter precache
  DropoutParameter engine random_seed
  ELUParameter lambda
  ImageDataParameter short_side threads cache precache dataset_share_per_node
  PoolingParameter torch_pooling
  values SAG DOUBLE FLOAT16
Intel's Caffe (intel/caffe)
  layers BoxData EvalDetection MKLBatchNorm MnActivation SpatialDropout
  FillerParameter scale
  NetParameter compile_net_state bn_stats_batch_size multinode
  SolverParameter disabled_update engine warmup_iter warmup_start_lr local_lr_auto local_gw_ratio
    test_offset
  LayerParameter split_param spatial_dropout_param multinode mn_activation_param
    mn_grad_compress_param quantization_param eval_detection_param
  TransformationParameter random_resize_param random_aspect_ratio_param flow bgr2rgb pad
  BatchNormParameter use_weight_bias bias_term filler stats_batch_size relu
  ConvolutionParameter relu negative_slope coeff fusion_type
  DataParameter side
  ImageDataParameter min_height min_width
  InnerProductParameter relu negative_slope
  PoolingParameter pad_3d kernel_size_3d stride_3d avg_include_pad axis
  ReLUParameter fuse
  ReshapeParameter pixelshuffler
py-RFCN-priv's Caffe (soeaver/py-RFCN-priv)
  layers BoxesObj DeformablePSROIPooling FocalLoss FrcnnAnchorTarget FrcnnProposal
    FrcnnProposalTarget InnerProductBlob MaskPooling MaskResize ROIAlign ROIMaskAlign ROIMaskPooling
    ROIWarping ReLUX SeLu SeLuDropout
  LayerParameter focal_loss_param relux_param roi_mask_pooling_param roi_warping_param
    mask_resize_param deformable_psroi_pooling_param inner_product_blob_param roi_align_param
    frcnn_anchor_target_param frcnn_proposal_param frcnn_proposal_target_param roi_mask_align_param
    boxes_obj_param
  values RELUX FRCNN_ANCHOR_TARGET FRCNN_PROPOSAL FRCNN_PROPOSAL_TARGET
happynear's Caffe (happynear/caffe-windows)
  layers Arccos BN BatchContrastiveLoss ChannelScale ConfidencePenaltyLoss CorrelationLoss Cosine
    FCNAccuracy Flip GeneralContrastiveLoss GeneralTripletLoss GlobalLSEMargin Gram Hotspot
    InnerDistance Insanity LabelSpecificAdd Local MovingNormalize MultiLabelImageData NCALoss Noise
    Pairwise PredictBox Proposal Resize Slope SoftContrastiveLoss SoftTruncation SubRegion
    Transformer Truncation
  SolverParameter clamp_weights_lower clamp_weights_upper clip_weights
  LayerParameter local_param eltwise_affine_param sub_region_param noise_param hotspot_param
    predict_box_param fcn_data_param inner_distance_param general_contrastive_loss_param
    soft_contrastive_loss_param general_triplet_loss_param soft_truncation_param proposal_param
    pairwise_param smoothl1_param batch_contrastive_loss_param truncation_param nca_param
    label_specific_rescale_param infimum_loss_param ordinal_regression_loss_param resize_param
    feature_decay_loss_param confidence_penalty_loss_param label_specific_margin_param
    channel_scale_param label_specific_affine_param label_specific_hard_margin_param
    label_specific_add_param
  TransformationParameter center_crop erase_ratio aspect_min aspect_max
  AccuracyParameter min_is_better
  BatchNormParameter disable_mean disable_variance
  ConvolutionParameter shape_offset
  DropoutParameter sqrt_scale
  ImageDataParameter face_transform max_shear_ratio max_aspect_ratio max_rotate_angle
    min_random_scale max_random_scale max_random_shift face_mirror face_point_num balance_class
    balance_by label_cut_start label_cut_end
  InnerProductParameter normalize
  MemoryDataParameter transpose
  ParameterParameter blob_filler
  PoolingParameter blobs_lr blobs_a_min
  ScaleParameter min_value max_value
  SoftmaxParameter hard_ratio class_weight hard_mining_label cutting_point normalize_type
    label_smooth_factor
  V1LayerParameter prelu_param
  values SORT DEF DEF_ALL DEF_ALL2 DEF_ALL3 DEF_ALL4 LOWRES LOCAL BN NORMALIZE INSANITY TRIPLET_LOSS
    ROIPOOLING BATCH_NORM ELTWISE_AFFINE
"""

#: What layers do that public nets have and this engine does not.
_WHAT = {
    "AnnotatedData": "reads images with boxes around objects, and cuts and distorts them",
    "DetectionEvaluate": "counts right and wrong boxes",
    "DetectionOutput": "turns predictions and prior boxes into detections, the best of each place",
    "ImageSegData": "reads images and label images, and scales them at random",
    "MultiBoxLoss": "matches prior boxes with true ones, and is the loss of boxes and classes",
    "MultilabelImageData": "reads images with several labels each",
    "Proposal": "turns the scores and shifts of anchors into regions of interest",
}


@functools.cache
def _owners() -> dict[tuple[str, str], list[str]]:
    """{(message, "layers" or "values"; name): [whose Caffe, ...]}."""
    owners: dict[tuple[str, str], list[str]] = {}
    for block in re.split(r"\n(?=\S)", _TABLE.strip()):
        whose, *lines = re.sub(r"\n    ", " ", block).split("\n")
        for line in lines:
            kind, *names = line.split()
            for name in names:
                owners.setdefault((kind, name), []).append(whose)
    return owners


def whose_field(message: str, name: str) -> str:
    """Return whose Caffe has the field `name` in a message, as ``SSD's Caffe (...)``; or ""."""
    kinds = ("LayerParameter", message) if message == "V1LayerParameter" else (message,)
    return _joined(owner for kind in kinds for owner in _owners().get((kind, name), ()))


def whose_layer(type_name: str) -> str:
    """Return whose Caffe has layers of the type `type_name`; or ""."""
    return _joined(_owners().get(("layers", type_name), ()))


def explain_field(message: str, name: str) -> str:
    """Return what errors say of a field of another Caffe, or "" where no Caffe is known for it."""
    whose = whose_field(message, name)
    if not whose:
        return ""
    instead = "BVLC's has none of that name"
    if message in ("LayerParameter", "V1LayerParameter"):
        for type_name in _layers_of(name):
            instead = f"BVLC's has no layer {type_name}{_which(type_name)}"
    return f"{name!r} is a field of {whose}; {instead}"


def explain_value(name: str) -> str:
    """Return what errors say of an enum's value of another Caffe, or ""."""
    whose = _joined(_owners().get(("values", name), ()))
    return f"{name} is a value of {whose}; BVLC's has none of that name" if whose else ""


def explain_layer(type_name: str, known: Sequence[str]) -> str:
    """Return what errors say of a layer's type that is not among `known`, those of an engine."""
    whose = whose_layer(type_name)
    if whose:
        return (
            f"type {type_name!r} is a layer of {whose}; BVLC's has none of that name"
            f"{_which(type_name)}"
        )
    has = f"has {', '.join(known)}"
    if type_name in BVLC_LAYERS:
        return f"type {type_name!r} is a layer of Caffe that this engine does not have; it {has}"
    near = nearest(type_name, known, cutoff=0.85)
    said = f"did you mean {near!r}?" if near else f"wanted one of {', '.join(known)}"
    return f"unknown type {type_name!r}; {said}"


def nearest(name: str, known: Iterable[str], cutoff: float = 0.75) -> str | None:
    """Return the one of `known` that `name` misspells, or None where it is another word.

    `cutoff` is the least similarity, 0..1, as difflib counts it. A slip leaves the first letter and
    the digits alone, and adds two letters at most: ``bn_param`` is no ``mvn_param``.
    """
    stem = _stem(name)
    stems = {_stem(word): word for word in known}
    for near in difflib.get_close_matches(stem, stems, n=3, cutoff=cutoff):
        digits_differ = re.sub(r"\D", "", near) != re.sub(r"\D", "", stem)
        if near[0] == stem[0] and not digits_differ and abs(len(near) - len(stem)) <= 2:
            return stems[near]
    return None


def _which(type_name: str) -> str:
    return f", which {_WHAT[type_name]}" if type_name in _WHAT else ""


def _stem(name: str) -> str:
    return name.replace("_param", "").lower()


def _joined(owners: Iterable[str]) -> str:
    first, *others = [*owners, ""]
    return f"{first} and of {len(others) - 1} others" if others[1:] else first


def _layers_of(field: str) -> list[str]:
    """The layers of the same Caffes that the field ``some_name_param`` is named after."""
    stem = field.replace("_param", "").replace("_", "")
    whose = set(_owners().get(("LayerParameter", field), ()))
    return [
        name
        for (kind, name), owners in _owners().items()
        if kind == "layers" and name.lower() == stem and whose & set(owners)
    ]
