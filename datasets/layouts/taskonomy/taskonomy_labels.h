// The classes of Taskonomy and what the codes in its label images stand for.
#pragma once

#include <opencv2/core.hpp>
#include <string>
#include <vector>

namespace mtlprune {

/// background, bottle, chair, ...: the 17 classes of segment_semantic, label - 1 (source: the published
/// coco_selected_classes.txt).
std::vector<std::string> taskonomy_class_names();

/// The published weights of the classes in the cross entropy, which rare classes need (source: the published
/// semseg_prior_factor.npy).
std::vector<double> taskonomy_class_weights();

/// segment_semantic: CV_8UC1 0 (or 255) = unlabelled, 1..17 to CV_8UC1 0..16, 255 = ignore. Throws Error
/// naming `place` for other labels.
cv::Mat decode_taskonomy_classes(const cv::Mat& codes, const std::string& place);

/// depth_zbuffer, depth_euclidean: CV_16UC1 in 1/512 m, 65535 = missing, to CV_32FC1 in metres, 0 = missing.
cv::Mat decode_taskonomy_depth(const cv::Mat& codes);

/// keypoints2d, edge_texture: CV_16UC1 in 1/65536, clipped at `largest` (0.005 and 0.08) and divided by it,
/// to CV_32FC1 in 0..1.
cv::Mat decode_taskonomy_strength(const cv::Mat& codes, double largest);

/// normal: CV_8UC3 BGR with R = right, G = down, B = forward, n = code / 127.5 - 1, to CV_32FC3 unit vectors
/// (see Sample); (0, 0, 0) where all three codes are 127 or 128.
cv::Mat decode_taskonomy_normals(const cv::Mat& codes);

}  // namespace mtlprune
