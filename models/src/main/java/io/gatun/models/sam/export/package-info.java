/// Masks in the forms that annotation tools and trainers read: COCO, YOLO, LabelMe, GeoJSON.
package io.gatun.models.sam.export;
